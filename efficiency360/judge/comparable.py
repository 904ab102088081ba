"""Whether the numbers of two audits may be compared at all, and if not, what is different, by name."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.audited import Audited
    from efficiency360.records import AxisRecord, DatasetRecord, Environment, Measurement

_TOLD = 8
_UNITS_OF_A_HOST = frozenset({"ms", "s", "images/s", "J"})


def of_host(measurement: Measurement) -> bool:
    """Whether a number belongs to the machine that it was measured on, and not to the images."""
    axis_id, _, what = measurement.name.partition(".")
    return axis_id == "speed" or measurement.unit in _UNITS_OF_A_HOST or what.startswith("peak_memory")


def of_data(measurement: Measurement) -> bool:
    """Whether a number belongs to the images that it was measured on; what costs cost does not depend on them."""
    return not of_host(measurement) and measurement.name.partition(".")[0] != "cost"


def why_not(measurement: Measurement, other: Measurement, here: Audited, there: Audited) -> str:
    """Why a measurement of `here` cannot be compared with its counterpart of `there`; empty where it can."""
    axis_id = measurement.name.partition(".")[0]
    mine, theirs = here.axis(axis_id), there.axis(axis_id)
    if mine is None or theirs is None:
        return f"the axis {axis_id} is not in both scorecards"
    reasons = chain(
        _kind(measurement, other),
        _axis(mine, theirs),
        _data(here.dataset, there.dataset) if of_data(measurement) else (),
        _host(mine, theirs, here.environment, there.environment) if of_host(measurement) else (),
        _doubt(theirs),
    )
    return next(iter(reasons), "")


def _kind(measurement: Measurement, other: Measurement) -> Iterator[str]:
    if measurement.better is None:
        yield f"of {measurement.name} neither more nor less is better"
    if (measurement.unit, measurement.better) != (other.unit, other.better):
        yield f"{measurement.name} is in another unit in the baseline ({other.unit or 'none'})"


def _axis(mine: AxisRecord, theirs: AxisRecord) -> Iterator[str]:
    if mine.version != theirs.version:
        yield f"the axis {mine.id} is version {mine.version} here and {theirs.version} in the baseline"
    keys = sorted(mine.settings.keys() | theirs.settings.keys())
    differing = [key for key in keys if mine.settings.get(key) != theirs.settings.get(key)]
    if differing:
        told = ", ".join(
            f"{mine.id}.{key} is {_value(mine, key)} here and {_value(theirs, key)} there" for key in differing
        )
        yield f"the settings differ: {told}"


def _value(axis: AxisRecord, key: str) -> str:
    return f"{axis.settings[key]!s:.60}" if key in axis.settings else "not set"


def _data(mine: DatasetRecord | None, theirs: DatasetRecord | None) -> Iterator[str]:
    if (mine and mine.fingerprint) != (theirs and theirs.fingerprint):
        yield f"the data differ: {_named(mine)} here, {_named(theirs)} in the baseline"


def _named(data: DatasetRecord | None) -> str:
    return f"{data.name} ({data.n} images, {data.fingerprint[:_TOLD]})" if data else "none"


def _host(mine: AxisRecord, theirs: AxisRecord, here: Environment, there: Environment) -> Iterator[str]:
    """The class of the host, or the very host where one scorecard is too old to tell the class."""
    places = mine.environment or here, theirs.environment or there
    classes = [place.host_class for place in places]
    same = classes[0] == classes[1] if all(classes) else places[0].host == places[1].host
    used = [(place.device, place.threads) for place in places]
    if not same or used[0] != used[1]:
        told = [
            f"{place.cpu}, {place.device}, {place.threads} threads ({(place.host_class or place.host)[:_TOLD]})"
            for place in places
        ]
        yield f"the hardware differs: {told[0]} here, {told[1]} in the baseline"


def _doubt(theirs: AxisRecord) -> Iterator[str]:
    for caveat in theirs.caveats:
        if caveat.severity == "critical":
            yield f"the baseline's number is in doubt: {caveat.text}"
