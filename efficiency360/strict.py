"""What all records and audit files share: frozen, strict about keys, finite numbers only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError


def non_finite(value: object, where: str = "") -> str | None:
    """Where in nested tables and lists a NaN or an infinity is, as `axes.robustness.eps.1`; None if there is none."""
    if isinstance(value, float) and not math.isfinite(value):
        return where
    items: Iterable[tuple[object, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value, start=1)
    return next(
        (found for key, item in items if (found := non_finite(item, f"{where}.{key}".strip("."))) is not None), None
    )


def first_mistake(error: ValidationError) -> str:
    """What is wrong with a record first, and where."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{f'{place}: ' if place else ''}{first['msg'].removeprefix('Value error, ')}"


def _all_finite(table: dict[str, object]) -> dict[str, object]:
    if (where := non_finite(table)) is not None:
        raise ValueError(f"{where} is not a finite number")
    return table


def not_in_words(value: object) -> object:
    """What is no text and neither true nor false, unchanged.

    Raises:
        ValueError: it is one of these.
    """
    if isinstance(value, bool | str):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - pydantic takes ValueError
    return value


Number = Annotated[float, BeforeValidator(not_in_words)]
"""A finite number; unlike pydantic's float not a number written as text, nor true or false."""
Points = Annotated[float, Field(ge=0, le=100), BeforeValidator(not_in_words)]
Settings = Annotated[dict[str, object], AfterValidator(_all_finite)]
"""Free-form values, finite at any depth."""


class Record(BaseModel):
    """Base of all records: frozen, strict about keys, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
