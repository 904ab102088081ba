"""What the parent learns of a loaded subject; plain values, so it travels as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360 import zoo
from efficiency360.dataset.preprocess import Preprocess
from efficiency360.records import Caveat, SubjectRecord
from efficiency360.strict import Record

if TYPE_CHECKING:
    from efficiency360.subject.request import SubjectRequest

_RANDOM = Caveat(
    id="subject.random_weights",
    severity="critical",
    text="The weights are random: only axes that need no labels, such as cost, mean anything.",
)
_FACTORY_WEIGHTS = Caveat(
    id="subject.factory_weights",
    severity="warning",
    text="No weights file was given: the weights are what the factory's code made. If it did not load trained ones,"
    " only axes that need no labels, such as cost, mean anything.",
)


class SubjectInfo(Record):
    """The subject's record, how images reach it, and its classes; `device` is its name for a reader."""

    record: SubjectRecord
    preprocess: Preprocess
    num_classes: int
    class_names: tuple[str, ...] | None
    differentiable: bool
    device: str
    versions: dict[str, str]


def without_file(request: SubjectRequest) -> Caveat:
    """What must be said of weights that come from no file."""
    return _RANDOM if request.factory_fingerprint is None else _FACTORY_WEIGHTS


def described(
    request: SubjectRequest, preprocess: Preprocess, num_classes: int, caveats: tuple[Caveat, ...]
) -> SubjectRecord:
    """The record of a subject: what it is called and was made from, as it was asked for."""
    return SubjectRecord(
        name=request.name,
        file=Path(request.file).name if request.file else None,
        fingerprint=request.fingerprint,
        kind=request.kind,
        arch=_portable(request.arch),
        num_classes=num_classes,
        input=(preprocess.channels, *preprocess.size),
        preprocess=preprocess.model_dump(mode="json"),
        caveats=caveats,
    )


def identified(info: SubjectInfo, request: SubjectRequest) -> SubjectInfo:
    """The same, with all that the request tells taken from there: the process that answered ran foreign code."""
    caveats = info.record.caveats
    if request.file is None and (said := without_file(request)) not in caveats:
        caveats = (said, *(caveat for caveat in caveats if caveat.id != said.id))
    record = described(request, info.preprocess, info.num_classes, caveats)
    names = request.manifest.labels.names or info.class_names
    return info.model_copy(update={"record": record, "class_names": names})


def _portable(arch: str | None) -> str | None:
    """An architecture without the folders that only this machine has."""
    if arch and (spec := zoo.spec_file(arch)):
        return f"zoo:{spec.name}"
    return Path(arch).name if arch and arch.rpartition(":")[0].endswith(".py") else arch
