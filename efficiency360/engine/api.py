"""`efficiency360.audit`: the whole pipeline as one call, for the command line and for Python alike."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from efficiency360.axes import make_axis
from efficiency360.dataset import Dataset, open_dataset
from efficiency360.engine.audit import run_audit, select_axes
from efficiency360.engine.elsewhere import Elsewhere
from efficiency360.engine.environment import default_threads
from efficiency360.engine.forecast import Forecast, foretell
from efficiency360.engine.gate import find_baseline
from efficiency360.engine.grouping import check_data, listed, with_groups
from efficiency360.engine.job import AuditJob, Quiet, Reporter
from efficiency360.engine.members import GIVEN as MEMBERS
from efficiency360.errors import InputError
from efficiency360.files import write_atomic
from efficiency360.render import figures, report
from efficiency360.spec import AuditSpec, load_audit
from efficiency360.subject.manifest import Manifest, load_manifest
from efficiency360.subject.request import SubjectOptions, SubjectRequest, parse_input, request_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import nn

    from efficiency360.records import Scorecard
    from efficiency360.render.wording import Language

_DEFAULT_BUDGET_S = 24 * 3600.0
_LONGEST_S = 366 * 24 * 3600.0
_SEEDS = 2**32


def audit(
    subject: str | Path | nn.Module,
    data: str | Path | Dataset | None = None,
    *,
    audit: str | Path | AuditSpec = "quick",
    axes: Sequence[str] | str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    groups: Sequence[str] | str | None = None,
    baseline: str | Path | None = None,
    arch: str | None = None,
    remap: str | None = None,
    key: str | None = None,
    input: tuple[int, int, int] | None = None,  # noqa: A002 - the name of the option
    manifest: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    budget: float | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    evidence: str | Path | None = None,
    trust_code: bool = False,
    strict: bool = False,
    images: bool | None = None,
    lang: Language = "en",
    reporter: Reporter | None = None,
) -> Scorecard:
    """Audit a vision model.

    Args:
        subject: a weights file, an architecture such as `timm:resnet50` (random weights), or an `nn.Module` in memory,
            which is copied and observed in this process.
        data: a folder, an `.npz`, `digits`, or a `Dataset`; without it only axes that need no data are measured.
        audit: the name of a shipped audit file, a path, or an `AuditSpec`.
        axes: which axes to run (default: those of the audit file); the others count as not measured.
        settings: overrides for axes, as `{"accuracy": {"batch_size": 8}}`.
        groups: columns of the data between whose values the fairness axis compares; it is added where it is missing.
        baseline: scorecard or folder of the audit to compare with, for rules that do; `none` for a first release
            (default: the one that the audit file names).
        arch: architecture of a weights file: `timm:NAME`, `torchvision:NAME`, `zoo:NAME`, `path/to/file.py:factory`.
        remap: `order` maps weights by position where names differ but shapes agree.
        key: which of several networks in a checkpoint.
        input: (C, H, W) where neither architecture, manifest nor data tells it.
        manifest: TOML file with architecture, preprocessing and class names.
        device: `auto`, `cpu`, `cuda`, ...
        threads: processor threads (default: all that this process may use).
        seed: of sampling, random weights and resampling.
        limit: at most this many images, a seeded sample.
        budget: seconds that the whole audit may take.
        out: folder for `scorecard.json`, `report.html`, `evidence/` and `run.log` (default: kept nowhere).
        resume: reuse evidence in `out` that belongs to exactly this audit.
        evidence: folder of another audit of this model, on another machine perhaps, whose axes are taken over.
        trust_code: open files that can run code of their own when opened: whole pickled models, TorchScript, exported
            programs, ONNX with external data.
        strict: refuse to go on where a layer of the worker's isolation is missing on this machine.
        images: whether the report shows images (default: all but of data with groups, or of the training).
        lang: the language that the report opens in, `en` or `ja`.
        reporter: told of progress.

    Returns:
        The scorecard; `card.verdict.outcome` is `pass`, `fail` or `inconclusive`.

    Raises:
        InputError: bad input, with a sentence that says what and how to mend it.
    """
    arguments = {
        name: value for name, value in locals().items() if name not in {"images", "lang"}
    }  # before more is named
    with tempfile.TemporaryDirectory(prefix="e360-out-") as scratch:
        job, selected = _job(scratch, **arguments)
        card = run_audit(job, selected)
        shown = figures.read(card, job.out, images=images)
        write_atomic(job.out / "report.html", report.render(card, shown, language=lang).encode())
    return card


def forecast(**arguments: Any) -> Forecast:
    """What `audit` with all of these arguments would do, in how long and how much memory, from a short probe.

    Raises:
        InputError: as `audit`.
    """
    with tempfile.TemporaryDirectory(prefix="e360-out-") as scratch:
        job, selected = _job(scratch, **{**arguments, "out": None})
        return foretell(job, selected)


def _job(
    scratch: str,
    subject: str | Path | nn.Module,
    data: str | Path | Dataset | None,
    *,
    audit: str | Path | AuditSpec,
    axes: Sequence[str] | str | None,
    settings: Mapping[str, Mapping[str, Any]] | None,
    groups: Sequence[str] | str | None,
    baseline: str | Path | None,
    arch: str | None,
    remap: str | None,
    key: str | None,
    input: tuple[int, int, int] | None,  # noqa: A002 - the name of the option
    manifest: str | Path | None,
    device: str,
    threads: int | None,
    seed: int,
    limit: int | None,
    budget: float | None,
    out: str | Path | None,
    resume: bool,
    evidence: str | Path | None,
    trust_code: bool,
    strict: bool,
    reporter: Reporter | None,
) -> tuple[AuditJob, frozenset[str]]:
    """The arguments of `audit`, checked and opened, and the axes to run; `scratch` stands in for `out`."""
    settings = settings or {}
    axes = axes.split(",") if isinstance(axes, str) else axes
    _check_types(subject, data, audit, input)
    _check_numbers(seed=seed, budget=budget, threads=threads, limit=limit)
    spec, selected = select_axes(load_audit(str(audit)) if isinstance(audit, str | Path) else audit, axes)
    spec, selected = with_groups(spec, selected, groups, axes)
    spec = spec.with_settings(settings)
    select_axes(spec, axes)
    dataset = open_dataset(data) if isinstance(data, str | Path) else data
    check_data(spec, selected, dataset)
    sampled = dataset.sample(limit, seed=seed) if dataset is not None else None
    common = {
        "data_shape": sampled.image_shape if sampled else None,
        "device": device,
        "threads": threads or default_threads(),
        "seed": seed,
    }
    options = SubjectOptions(arch, remap, key, Path(manifest) if manifest else None, input, trust_code)
    module = None if isinstance(subject, str | Path) else subject
    request = _module_request(module, options) if module is not None else request_subject(str(subject), options)
    given = {
        "data": data,
        "audit": audit if isinstance(audit, str | Path) else spec.file,
        "axes": axes and ",".join(axes),
        "group": ",".join(listed(groups)) or None,
        "arch": arch,
        "remap": remap,
        "key": key,
        "manifest": manifest,
        "input": input and "x".join(map(str, input)),
        "limit": limit,
        "device": device,
        "threads": threads,
        "baseline": baseline,
        "with": evidence,
        "trust-code": trust_code or None,
        "strict": strict or None,
    }
    if evidence and out and Path(evidence).resolve() == Path(out).resolve():
        raise InputError("--with and --out are the same folder; give another --out, so that nothing is lost")
    if baseline and out and Path(baseline).resolve() in {Path(out).resolve(), Path(out).resolve() / "scorecard.json"}:
        raise InputError("--baseline and --out are the same folder; give another --out, so that nothing is lost")
    job = AuditJob(
        request=request.model_copy(update=common),
        data=sampled,
        spec=spec,
        out=Path(out or scratch),
        command=_command(request.name if request.file is None else str(subject), given, settings, seed),
        more_data=_more_data(spec, selected, seed, limit),
        elsewhere=Elsewhere.open(Path(evidence)) if evidence else None,
        module=module,
        resume=resume,
        strict=strict,
        hidden=_hidden(spec, data, out, baseline or spec.baseline_path),
        baseline=find_baseline(spec, baseline),
        budget_s=_DEFAULT_BUDGET_S if budget is None else budget,
        reporter=reporter or Quiet(),
    )
    return job, selected


def _more_data(
    spec: AuditSpec, selected: frozenset[str], seed: int, limit: int | None = None
) -> dict[str, dict[str, Dataset]]:
    """The further data sets that the selected axes name, and those axes whose evidence these use.

    At most `limit` images of members, as of the data; other axes say themselves how many they use.
    """
    settings = {axis_id: spec.axes[axis_id].settings for axis_id in sorted(selected)}
    for axis in [make_axis(axis_id, given) for axis_id, given in settings.items()]:
        for other in (*axis.uses, *axis.may_use):
            settings[other] = spec.axes[other].settings if other in spec.axes else {}
    opened: dict[str, dict[str, Dataset]] = {}
    for axis_id, given in settings.items():
        for name, path in make_axis(axis_id, given).data_sets.items():
            try:
                most = limit if name == MEMBERS else None
                opened.setdefault(axis_id, {})[name] = open_dataset(path).sample(most, seed=seed)
            except (InputError, OSError) as error:
                raise InputError(f"{axis_id}.{name}: {error}") from error
    return opened


def _hidden(spec: AuditSpec, *given: str | Path | Dataset | None) -> tuple[str, ...]:
    """What the model's process must not see: data with its labels, and what this and earlier audits found."""
    named = [*given, *(path for axis_id, axis in spec.axes.items() for path in _paths_of(axis_id, axis.settings))]
    paths = (Path(one) for one in named if isinstance(one, str | Path))
    return tuple(dict.fromkeys(str(path.resolve()) for path in paths if path.exists()))


def _paths_of(axis_id: str, settings: Mapping[str, Any]) -> Iterable[str]:
    return make_axis(axis_id, settings).data_sets.values()


def _check_numbers(*, seed: int, budget: float | None, **counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 1):
            raise InputError(f"--{name} must be a whole number above 0, not {value!r}")
    if type(seed) is not int or not 0 <= seed < _SEEDS:
        raise InputError(f"--seed must be a whole number from 0 to {_SEEDS - 1}, not {seed!r}")
    if budget is not None and not (isinstance(budget, int | float) and 0 < budget <= _LONGEST_S):
        raise InputError(f"--budget must be a time above 0 and at most a year, not {budget!r} seconds")


def _check_types(subject: object, data: object, audit: object, shape: object) -> None:
    """Name an argument of the wrong kind before it surprises somebody deeper down."""
    is_module = callable(getattr(subject, "forward", None)) and callable(getattr(subject, "state_dict", None))
    if isinstance(subject, type) or not (isinstance(subject, str | Path) or is_module):
        raise InputError(f"subject must be a path, a name such as timm:resnet50 or an nn.Module, not {subject!r:.80}")
    if not (data is None or isinstance(data, str | Path | Dataset)):
        raise InputError(
            f"data must be a path, 'digits' or a Dataset, not {type(data).__name__}; arrays become one with"
            " efficiency360.dataset.from_arrays(images, labels)"
        )
    if not isinstance(audit, str | Path | AuditSpec):
        raise InputError(f"audit must be a name, a path or an AuditSpec, not {type(audit).__name__}")
    if shape is not None:
        parse_input("x".join(map(str, shape)) if isinstance(shape, tuple | list) else str(shape))


def _module_request(module: Any, options: SubjectOptions) -> SubjectRequest:
    return SubjectRequest(
        name=type(module).__name__,
        file=None,
        kind="module in memory",
        fingerprint=None,
        arch=None,
        manifest=load_manifest(options.manifest) if options.manifest else Manifest(),
        input=options.input,
    )


def _command(subject: str, given: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]], seed: int) -> str:
    """The command that repeats this audit, without where its output goes."""
    words = ["e360", "audit", subject]
    for option, value in given.items():
        if value is not None and not isinstance(value, Dataset):
            words += [f"--{option}"] if value is True else [f"--{option}", str(value)]
    for axis_id, keys in settings.items():
        for key, value in keys.items():
            words += ["--set", f"{axis_id}.{key}={value}"] if value is not None else []
    for word in words:
        if not word.isascii() and word != word.encode(errors="replace").decode():
            raise InputError(f"{word!a} is not UTF-8 text; rename the file or folder")
    return shlex.join([*words, "--seed", str(seed)])
