"""What a TurboViT is made of: TOML -> `TurboViTSpec`, without torch. A misspelt key is told its right name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictInt, ValidationError, model_validator

from efficiency360.errors import InputError
from efficiency360.files import is_there
from efficiency360.spec import read_toml, suggest
from efficiency360.strict import Number, Record
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

SHIPPED = Path(__file__).parent / "shipped"
_MOST_BLOCKS, _MOST_TOKENS = 256, 1 << 18

Attention = Literal["units", "global"]
Count = Annotated[StrictInt, Field(ge=1, le=1 << 14)]


def _one_or_more(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _both_sides(value: object) -> object:
    return (value, value) if isinstance(value, int) else value


def _each(of: Any) -> Any:
    """One value for all blocks of a stage, or a list with a value a block whose last one is repeated."""
    return Annotated[tuple[of, ...], BeforeValidator(_one_or_more), Field(min_length=1)]


if TYPE_CHECKING:
    Counts = tuple[int, ...]
    Ratios = tuple[float, ...]
    Attentions = tuple[Attention, ...]
else:
    Counts = _each(Count)
    Ratios = _each(Annotated[Number, Field(gt=0, le=64)])
    Attentions = _each(Attention)


class Stem(Record):
    """The convolution that makes a token of each patch; `width` is its channels, if not those of the first block."""

    kernel: Count = 7
    stride: Count = 4
    padding: Annotated[StrictInt, Field(ge=0, le=64)] = 3
    width: Count | None = None


class Stage(Record):
    """A run of blocks. Each key but `depth` and `pool` is one value, or a list: one a block, the last one repeated.

    `width` is the channels that a block gives on, `heads` divides it; its perceptron is `mlp_ratio` times as wide.
    `attention` is among the tokens of a unit or among all ("global"). `pool` lets the first block ask with one query
    for every 2 x 2 tokens, so that a quarter of the tokens is left.
    """

    depth: Count
    width: Counts
    heads: Counts
    mlp_ratio: Ratios = (4.0,)
    attention: Attentions = ("units",)
    pool: bool = False


@dataclass(frozen=True)
class BlockSpec:
    """One block: channels in and out, heads, channels of its perceptron, its kind of attention, whether it pools."""

    width_in: int
    width: int
    heads: int
    hidden: int
    attention: Attention
    pool: bool


class TurboViTSpec(Record):
    """A hierarchical vision transformer of mask units.

    `size` is height and width of the images in pixels, one number for squares; `unit` is the side of a unit in tokens
    of the stem. `size` must be divisible by `unit` times the stem's stride, and `unit` by 2 for each stage that pools.
    """

    description: str = ""
    channels: Literal[1, 3] = 3
    size: Annotated[tuple[Count, Count], BeforeValidator(_both_sides)]
    classes: Annotated[StrictInt, Field(ge=2, le=1 << 20)] = 1000
    unit: Count = 8
    stem: Stem = Stem()
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the stem's tokens."""
        return self.size[0] // self.stem.stride, self.size[1] // self.stem.stride

    @property
    def units(self) -> int:
        """How many units there are, in every block."""
        return (self.grid[0] // self.unit) * (self.grid[1] // self.unit)

    @property
    def pools(self) -> int:
        """How often queries are pooled."""
        return sum(stage.pool for stage in self.stages)

    @property
    def stem_width(self) -> int:
        """Channels of the stem."""
        return self.stem.width or self.stages[0].width[0]

    @property
    def blocks(self) -> tuple[BlockSpec, ...]:
        """All blocks, in order."""
        found: list[BlockSpec] = []
        before = self.stem_width
        for stage in self.stages:
            for index in range(stage.depth):
                width = _at(stage.width, index)
                hidden = int(width * _at(stage.mlp_ratio, index))
                pool = stage.pool and index == 0
                kind = _at(stage.attention, index)
                found.append(BlockSpec(before, width, _at(stage.heads, index), hidden, kind, pool))
                before = width
        return tuple(found)

    def adapted(
        self, *, classes: int | None = None, channels: int | None = None, size: tuple[int, int] | None = None
    ) -> TurboViTSpec:
        """The same with another number of classes or channels, or for images of another height and width.

        Raises:
            InputError: it is not possible, such as a size that is not divisible by the units.
        """
        wanted = {"classes": classes, "channels": channels, "size": size}
        changed = {key: value for key, value in wanted.items() if value is not None}
        return parse_spec({**self.model_dump(), **changed}, "the architecture")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for number, stage in enumerate(self.stages, start=1):
            _check_lists(stage, f"stages.{number}")
        if (depth := sum(stage.depth for stage in self.stages)) > _MOST_BLOCKS:
            raise ValueError(f"stages: {depth} blocks in all; at most {_MOST_BLOCKS} are possible")
        self._check_stem()
        self._check_units()
        return self

    def _check_stem(self) -> None:
        stem, step = self.stem, self.unit * self.stem.stride
        if any(side % step for side in self.size):
            shown = " x ".join(map(str, self.size))
            near = " x ".join(str(max(1, round(side / step)) * step) for side in self.size)
            raise ValueError(
                f"size: {shown} is not divisible by {step} (stem.stride {stem.stride} x unit {self.unit}); the nearest"
                f" is {near}"
            )
        if self.grid[0] * self.grid[1] > _MOST_TOKENS:
            raise ValueError(f"size: more than {_MOST_TOKENS} tokens; give smaller images or a larger stem.stride")
        for side, tokens in zip(self.size, self.grid, strict=True):
            made = (side + 2 * stem.padding - stem.kernel) // stem.stride + 1
            if made != tokens:
                raise ValueError(
                    f"stem: kernel {stem.kernel}, stride {stem.stride} and padding {stem.padding} make {max(made, 0)}"
                    f" tokens of {side} pixels, not {tokens}; kernel {stem.stride} with padding 0 would"
                )

    def _check_units(self) -> None:
        halvings = (self.unit & -self.unit).bit_length() - 1
        if self.pools > halvings:
            raise ValueError(
                f"stages: {self.pools} of them pool, and each halves the side of a unit, but unit = {self.unit} can be"
                f" halved {halvings} times; set pool = false in some, or unit = {2**self.pools}"
            )


def _at(values: tuple[Any, ...], index: int) -> Any:
    return values[min(index, len(values) - 1)]


def _check_lists(stage: Stage, place: str) -> None:
    for key in ("width", "heads", "mlp_ratio", "attention"):
        if (listed := len(getattr(stage, key))) > stage.depth:
            raise ValueError(f"{place}.{key}: {listed} values for {stage.depth} blocks")
    for index in range(stage.depth):
        width, heads = _at(stage.width, index), _at(stage.heads, index)
        if width % heads:
            raise ValueError(f"{place}.heads: {heads} heads do not divide width {width} (block {index + 1})")
        if width * _at(stage.mlp_ratio, index) < 1:
            raise ValueError(f"{place}.mlp_ratio: it leaves nothing of width {width} (block {index + 1})")


def shipped() -> tuple[str, ...]:
    """The names of the specs that the project ships, sorted."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def is_spec_file(name: str) -> bool:
    """Whether what follows `zoo:` is the path of a spec rather than a name."""
    return name.endswith(".toml")


def load_spec(name_or_path: str) -> TurboViTSpec:
    """A shipped spec by its name, or one from a TOML file.

    Raises:
        InputError: no such spec, or a mistake in it, with the place and the next step.
    """
    if not is_spec_file(name_or_path):
        if name_or_path not in shipped():
            raise InputError(f"no TurboViT '{one_line(name_or_path)}'{suggest(name_or_path, shipped())}")
        return parse_spec(read_toml(SHIPPED / f"{name_or_path}.toml"), name_or_path)
    path = Path(name_or_path)
    if not is_there(path):
        raise InputError(f"zoo:{one_line(name_or_path)}: no such file")
    return parse_spec(read_toml(path), one_line(name_or_path))


def parse_spec(content: Mapping[str, Any], file: str) -> TurboViTSpec:
    """Check the content of a spec; `file` is named in errors.

    Raises:
        InputError: an unknown key, or an impossible value.
    """
    try:
        return TurboViTSpec.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(f"{file}: {_first_mistake(error.errors())}") from error


_TABLES: dict[str, type[Record]] = {"stem": Stem, "stages": Stage}
_PLAINLY = {
    "missing": "this key is missing",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "too_short": "must not be empty",
    "too_long": "must be one number, or two: height and width",
}


def _first_mistake(errors: Sequence[ErrorDetails]) -> str:
    """The first validation error in a sentence; a misspelt key comes before the key that it leaves out."""
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    loc = error["loc"]
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in loc)
    if error["type"] == "extra_forbidden":
        table = _TABLES.get(str(loc[0]), TurboViTSpec) if len(loc) > 1 else TurboViTSpec
        return f"unknown key '{one_line(place)}'{suggest(str(loc[-1]), table.model_fields)}"
    plain = _PLAINLY.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
    if loc == ("stages",) and error["type"] == "tuple_type":
        plain = "must be a list of tables, each under its own heading [[stages]]"
    plain = plain.removeprefix("Value error, ")
    return f"{place}: {plain}" if place else plain
