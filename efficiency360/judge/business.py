"""Measurements and stated assumptions -> what a year of answers costs, what that saves, and when it has paid.

    machine hours a year  =  images a day x days a year x seconds an image / 3,600 / utilisation
    kilowatt-hours a year =  images a day x days a year x joules an image / 3.6e6

Seconds an image are 1 / `speed.throughput` at the assumed batch, as a mean is what adds up to hours; where that was not
measured, the median `speed.latency_ms`. Joules are `speed.energy_j`. Nothing is taken that was not measured.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

from pydantic import ValidationError

from efficiency360.business import Amount, Assumptions, Business, Gap, Payback, What, Yearly
from efficiency360.judge.comparison import compare, counterpart
from efficiency360.records import Interval, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from efficiency360.judge.relative import Against
    from efficiency360.records import AxisRecord, Comparison

_SECONDS_OF_AN_HOUR, _JOULES_OF_A_KWH, _MS_OF_A_SECOND = 3600, 3.6e6, 1000
_AXIS, _RATE, _LATENCY, _ENERGY = "speed", "speed.throughput", "speed.latency_ms", "speed.energy_j"
_ENERGY_MISSING = "speed.energy_missing"


def business(assumed: Assumptions, axes: Sequence[AxisRecord], against: Against | None) -> Business:
    """What this model costs in a year, and what it saves against the baseline if there is one.

    Args:
        assumed: the table `[business]` of the audit file.
        axes: the records of all axes of this audit.
        against: this audit with its samples, and the baseline.
    """
    speed = next((axis for axis in axes if axis.id == _AXIS), None)
    timed, metered = _timed(speed, assumed.batch), _named(speed, _ENERGY, batch=assumed.batch)
    yearly = _yearly(assumed, timed, metered)
    found = Business(
        assumptions=assumed,
        timed=timed.label if timed else "",
        metered=metered.label if metered else "",
        yearly=yearly,
        missing=tuple(_missing(assumed, yearly, speed)),
        doubts=tuple(one.text for one in (speed.caveats if speed else ()) if one.severity == "critical"),
    )
    if against is None or against.baseline is None:
        return found
    return _against_baseline(found, timed, metered, against)


def _named(axis: AxisRecord | None, name: str, **params: object) -> Measurement | None:
    """The axis's measurement of this name with at least these params, if it is a positive number to its low end."""
    for one in axis.measurements if axis else ():
        fits = one.name == name and params.items() <= one.params.items()
        if fits and min(one.value, one.interval.low if one.interval else one.value) > 0:
            return one
    return None


def _timed(axis: AxisRecord | None, batch: int) -> Measurement | None:
    return _named(axis, _RATE, batch=batch) or _named(axis, _LATENCY, batch=batch, stat="p50")


def _yearly(assumed: Assumptions, timed: Measurement | None, metered: Measurement | None) -> Yearly:
    images = assumed.images_per_day * assumed.days_per_year
    hours = _scaled(timed, images / _SECONDS_OF_AN_HOUR / assumed.utilisation)
    kwh = _scaled(metered, images / _JOULES_OF_A_KWH)
    on = assumed.hours_per_day * assumed.days_per_year
    fleet = None if assumed.devices is None else Amount(**dict.fromkeys(("value", "low", "high"), assumed.devices * on))
    machines = _priced(fleet or hours, assumed.price_per_machine_hour)
    energy = _priced(kwh, assumed.price_per_kwh)
    return Yearly(
        machine_hours=hours,
        devices_needed=_mapped(hours, lambda one: math.ceil(one / on)) if hours and fleet else None,
        machines=machines,
        energy_kwh=kwh,
        energy=energy,
        total=_sum(one for one in (machines, energy) if one),
    )


def _scaled(measurement: Measurement | None, factor: float) -> Amount | None:
    """Seconds, or joules, an image times a factor."""
    if measurement is None:
        return None
    interval = measurement.interval
    ends = [interval.low, interval.high] if interval else [measurement.value] * 2
    low, value, high = sorted(factor * _an_image(measurement, one) for one in (measurement.value, *ends))
    level = interval.level if interval else None
    return Amount(value=value, low=low, high=high, level=level) if math.isfinite(high) else None


def _an_image(measurement: Measurement, value: float) -> float:
    """A rate or a time as seconds an image, of a latency over all the images of its batch; joules as they are."""
    if measurement.name == _RATE:
        return 1 / value
    if measurement.name == _LATENCY:
        return value / _MS_OF_A_SECOND / float(measurement.params["batch"])
    return value


def _mapped(amount: Amount, function: Callable[[float], float]) -> Amount:
    """An amount under a function that grows with it."""
    ends = {key: function(getattr(amount, key)) for key in ("value", "low", "high")}
    return Amount(**ends, level=amount.level)


def _priced(amount: Amount | None, price: float | None) -> Amount | None:
    return None if amount is None or price is None else _mapped(amount, lambda one: one * price)


def _sum(amounts: Iterable[Amount]) -> Amount | None:
    """The sum, its range from all low ends to all high ends."""
    found = list(amounts)
    if not found:
        return None
    value, low, high = (math.fsum(getattr(one, key) for one in found) for key in ("value", "low", "high"))
    return Amount(value=value, low=low, high=high, level=_together(one.level for one in found))


def _together(levels: Iterable[float | None]) -> float | None:
    """The confidence with which several intervals hold at once, by Bonferroni's inequality."""
    found = [level for level in levels if level is not None]
    return max(0.0, round(1 - math.fsum(1 - level for level in found), 12)) if found else None


def _missing(assumed: Assumptions, yearly: Yearly, speed: AxisRecord | None) -> Iterator[Gap]:
    """What has a price but no number, or no price, and why."""
    status = _why_absent(speed)
    if assumed.price_per_machine_hour is None:
        yield Gap(what="machines", why="the audit file states no price_per_machine_hour")
    elif yearly.machine_hours is None:
        yield Gap(what="machines", why=status or f"no speed was measured at batch {assumed.batch}")
    if assumed.price_per_kwh is None:
        yield Gap(what="energy", why="the audit file states no price_per_kwh")
    elif yearly.energy_kwh is None:
        caveats = speed.caveats if speed else ()
        told = next((one.text for one in caveats if one.id == _ENERGY_MISSING), "")
        told = told.removeprefix("Energy is not measurable here: ").removesuffix(".")
        yield Gap(what="energy", why=told or status or f"no energy was measured at batch {assumed.batch}")


def _why_absent(axis: AxisRecord | None) -> str:
    if axis is None:
        return "the audit has no axis speed"
    return "" if axis.status == "measured" else f"the axis speed was {axis.status}: {axis.reason}"


def _against_baseline(
    found: Business, timed: Measurement | None, metered: Measurement | None, against: Against
) -> Business:
    """The same with what it saves, as far as the audits can be compared."""
    assumed, mine = found.assumptions, found.yearly
    compared = {what: _compared(one, against) for what, one in (("machines", timed), ("energy", metered))}
    old = {what: pair[0] for what, pair in compared.items() if not isinstance(pair, str)}
    there = _yearly(assumed, old.get("machines"), old.get("energy"))
    wanted: list[tuple[What, Amount | None, Amount | None]] = [
        ("machines", mine.machines, there.machines),
        ("energy", mine.energy, there.energy),
    ]
    parts: dict[What, Amount] = {}
    gaps: list[Gap] = []
    for what, here, before in wanted:
        pair = compared[what]
        if here is None:
            continue
        if what == "machines" and assumed.devices is not None:
            parts[what] = Amount(value=0, low=0, high=0)
        elif isinstance(pair, str) or before is None:
            gaps.append(Gap(what=what, why=pair if isinstance(pair, str) else "the numbers cannot be computed with"))
        else:
            parts[what] = _saving(before, pair[1], growing=pair[0].name != _RATE)
    saving = _sum(parts.values())
    return found.model_copy(
        update={
            "compared": True,
            "baseline": there if old else None,
            "saving": saving,
            "saved": tuple(parts),
            "payback": _payback(assumed.migration_cost, saving),
            "uncompared": tuple(gaps),
        }
    )


def _compared(measurement: Measurement | None, against: Against) -> tuple[Measurement, Comparison] | str:
    """The baseline's number and how this one compares with it; as text, why it cannot."""
    assert against.baseline is not None  # noqa: S101 - the caller looked
    if measurement is None:
        return "it was not measured"
    found = compare(measurement, against.here, against.baseline)
    other = counterpart(measurement, against.baseline)
    if isinstance(found, str) or other is None:
        return found if isinstance(found, str) else "the baseline lacks it"
    return other, found.comparison


def _saving(before: Amount, comparison: Comparison, *, growing: bool) -> Amount:
    """What of the baseline's cost is saved: the cost times the share of time or energy that is saved.

    `growing` says whether more of the number is more cost, as of a time; a rate is the other way round. The interval of
    the share is that of the comparison, which knows what the two audits have in common, so that the range is narrower
    than the difference of two costs.
    """

    def share(worse_by: float) -> float:
        return -worse_by if growing else 1 - 1 / (1 - worse_by)

    around = comparison.interval or Interval(
        low=comparison.worse_by, high=comparison.worse_by, level=0.5, method="exact"
    )
    shares = share(around.low), share(around.high)
    corners = [cost * one for cost, one in product((before.low, before.high), shares)]
    level = comparison.interval.level if comparison.interval else None
    value = before.value * share(comparison.worse_by)
    return Amount(value=value, low=min(corners), high=max(corners), level=_together((before.level, level)))


def _payback(cost: float | None, saving: Amount | None) -> Payback | None:
    """Years until the saving has paid for the migration, over the range of the saving."""
    if cost is None or saving is None:
        return None

    def years(a_year: float) -> float | None:
        found = cost / a_year if a_year > 0 else 0.0 if a_year == cost == 0 else math.inf
        return found if math.isfinite(found) else None

    return Payback(value=years(saving.value), low=years(saving.high), high=years(saving.low))


def safely(assumed: Assumptions, axes: Sequence[AxisRecord], against: Against | None) -> Business:
    """As `business`; where numbers are too large or odd to compute with, it says so and has none."""
    try:
        return business(assumed, axes, against)
    except (ArithmeticError, ValidationError) as error:
        why = f"the numbers cannot be computed with ({type(error).__name__})"
        gaps: tuple[What, ...] = ("machines", "energy")
        return Business(assumptions=assumed, yearly=Yearly(), missing=tuple(Gap(what=what, why=why) for what in gaps))
