"""Which measurements a score or a rule speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from efficiency360.records import AxisRecord, Measurement, Param


def matching(axes: Iterable[AxisRecord], name: str, params: Mapping[str, Param]) -> list[Measurement]:
    """Measurements called `name` that carry at least these params; all of that name where none are given."""
    return [
        measurement
        for axis in axes
        for measurement in axis.measurements
        if measurement.name == name and params.items() <= measurement.params.items()
    ]
