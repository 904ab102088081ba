"""Constraints files: TOML -> `Constraints`. A misspelt key is told its right name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, ValidationError, model_validator

from efficiency360.errors import InputError
from efficiency360.files import sha256_json
from efficiency360.spec import read_toml, suggest
from efficiency360.strict import Number, Record
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

Count = Annotated[StrictInt, Field(ge=1, le=1 << 14)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Positive = Annotated[Number, Field(gt=0, le=1e18)]
Weight = Annotated[Number, Field(ge=0, le=100)]
Attention = Literal["units", "global"]


def _list(of: Any) -> Any:
    return Annotated[tuple[of, ...], Field(min_length=1, max_length=16)]


if TYPE_CHECKING:
    Counts = tuple[int, ...]
    Ratios = tuple[float, ...]
    Attentions = tuple[Attention, ...]
    Flags = tuple[bool, ...]
    Texts = tuple[str, ...]
else:
    Counts = _list(Count)
    Ratios = _list(Annotated[Number, Field(gt=0, le=16)])
    Attentions = _list(Attention)
    Flags = _list(StrictBool)
    Texts = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=16)]


class Limits(Record):
    """What a model must keep to; a key that is not given is no limit.

    `accuracy` is a floor from 0 to 1, all others are ceilings. `latency_p95_ms` is of one image, measured here.
    `memory_mb` (1e6 bytes) is weights and the activations that live at once, of one image in float32.
    """

    accuracy: Share | None = None
    macs: Positive | None = None
    params: Positive | None = None
    memory_mb: Positive | None = None
    latency_p95_ms: Positive | None = None


class Machine(Record):
    """How latency is measured: processor threads, one image at a time, in float32."""

    threads: Annotated[StrictInt, Field(ge=1, le=1024)] = 1


class Require(Record):
    """Patterns that every model has: attention inside units in the first stages, among all tokens in the last."""

    unit_attention_stages: Annotated[StrictInt, Field(ge=0, le=4)] = 0
    global_attention_last: StrictBool = False


class Weights(Record):
    """Exponents of NetScore: 20 log10(accuracy^a / (params^p macs^m latency^l)).

    Source: Wong, NetScore, 2018 (arXiv 1806.05512), equation 1, with its a = 2 and p = m = 0.5; latency is ours.
    """

    accuracy: Weight = 2.0
    params: Weight = 0.5
    macs: Weight = 0.5
    latency: Weight = 0.0


class Training(Record):
    """How candidates are trained: in rungs, each of `keep_one_of` times as many epochs, the last of `epochs`.

    Of the candidates on a rung one of `keep_one_of` goes on. `balanced` makes all classes weigh alike, in training and
    in accuracy, which is then the mean over classes: rare defects count as much as good parts. `hold` is the share of
    images that candidates are compared on, `test` the share that only the front is measured on, in the end. Images
    that share a value in a column of `keep_together` stay in one part; unless it is given, those of columns with names
    such as patient_id.
    """

    epochs: Annotated[StrictInt, Field(ge=1, le=10000)] = 27
    rungs: Annotated[StrictInt, Field(ge=1, le=6)] = 3
    keep_one_of: Annotated[StrictInt, Field(ge=2, le=10)] = 3
    batch: Count = 64
    rate: Annotated[Number, Field(gt=0, le=1)] = 2e-3
    weight_decay: Share = 0.05
    smoothing: Share = 0.1
    flip: StrictBool = True
    balanced: StrictBool = False
    keep_together: Texts | None = None
    hold: Annotated[Number, Field(ge=0.05, le=0.5)] = 0.2
    test: Annotated[Number, Field(ge=0.05, le=0.5)] = 0.2

    @property
    def schedule(self) -> tuple[int, ...]:
        """Epochs of each rung, rising; equal ones are one."""
        found = {max(1, round(self.epochs / self.keep_one_of**back)) for back in range(self.rungs)}
        return tuple(sorted(found))


class Space(Record):
    """The choices: of the whole model, then of each stage. Each is a list of what may be chosen."""

    size: Counts = (64,)
    patch: Counts = (4, 8)
    unit: Counts = (4, 8)
    head_width: Counts = (8, 16)
    stages: Annotated[tuple[Annotated[StrictInt, Field(ge=1, le=4)], ...], Field(min_length=1, max_length=4)] = (2, 3)
    depth: Counts = (1, 2, 3)
    width: Counts = (16, 24, 32, 48, 64, 96)
    mlp_ratio: Ratios = (1, 2, 3)
    attention: Attentions = ("units", "global")
    pool: Flags = (True, False)

    @model_validator(mode="after")
    def _different(self) -> Self:
        for key in type(self).model_fields:
            values = getattr(self, key)
            if len(set(values)) != len(values):
                raise ValueError(f"{key}: a choice is listed twice")
        return self


class Constraints(Record):
    """A whole constraints file. `data` is seen from the file's own folder; `channels` is 1 for grey images."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = "Architecture search"
    data: str | None = None
    channels: Literal[1, 3] = 3
    limits: Limits = Limits()
    machine: Machine = Machine()
    require: Require = Require()
    netscore: Weights = Weights()
    training: Training = Training()
    space: Space = Space()

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        first, last = self.require.unit_attention_stages, self.require.global_attention_last
        fewest = min(self.space.stages)
        if first + last > fewest:
            asks = f"require asks for {first} stages of unit attention" + (" and a last one of global" if last else "")
            raise ValueError(f"{asks}, but space.stages allows models of {fewest}; contradiction: raise space.stages")
        for kind, wanted in (("units", first > 0), ("global", last)):
            if wanted and kind not in self.space.attention:
                raise ValueError(f"require asks for attention '{kind}', which space.attention leaves out")
        if self.training.hold + self.training.test > 0.8:  # noqa: PLR2004 - a fifth is the least to learn from
            raise ValueError("training.hold and training.test leave less than a fifth of the images to train on")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """All that a search's numbers depend on; of the title and the data's place they do not."""
        return self.model_dump(mode="json", exclude={"title", "data"})

    @property
    def fingerprint(self) -> str:
        """A sha256 of `identity`."""
        return sha256_json(self.identity)


def load_constraints(path: Path) -> Constraints:
    """Read a constraints file.

    Raises:
        InputError: no such file, or a mistake in it, with the place and the next step.
    """
    return parse_constraints(read_toml(path), one_line(str(path)))


def parse_constraints(content: Mapping[str, Any], file: str) -> Constraints:
    """Check the content of a constraints file; `file` is named in errors.

    Raises:
        InputError: an unknown key, an impossible value, or a contradiction.
    """
    try:
        return Constraints.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(f"{file}: {_first_mistake(error.errors())}") from error


_TABLES: dict[str, type[Record]] = {
    "limits": Limits,
    "machine": Machine,
    "require": Require,
    "netscore": Weights,
    "training": Training,
    "space": Space,
}
_PLAINLY = {
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list, such as [1, 2]",
    "model_type": "must be a table",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "literal_error": "must be {expected}",
    "too_short": "must not be empty",
    "too_long": "has too many choices, at most {max_length}",
}


def _first_mistake(errors: Sequence[ErrorDetails]) -> str:
    """The first validation error in a sentence; a misspelt key comes before all others."""
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in error["loc"])
    if error["type"] == "extra_forbidden":
        table = _TABLES.get(str(error["loc"][0]), Constraints) if len(error["loc"]) > 1 else Constraints
        return f"unknown key '{one_line(place)}'{suggest(str(error['loc'][-1]), table.model_fields)}"
    plain = _PLAINLY.get(error["type"], error["msg"]).format(**error.get("ctx", {})).removeprefix("Value error, ")
    return f"{place}: {plain}" if place else plain
