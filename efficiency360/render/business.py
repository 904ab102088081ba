"""Cost and savings as a reader wants them: sentences, a table, the assumptions, and what the figures rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.business import Amount
from efficiency360.render.money import amount_of, approximately, called, money

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.business import Assumptions, Business, Gap
    from efficiency360.records import Environment, Scorecard

    Words = Mapping[str, Any]

_SPEED = "speed"
_LATENCY = "speed.latency_ms"
_UNITS = {
    "machine_hours": "hours",
    "devices_needed": "machines",
    "machines": "money",
    "energy_kwh": "kwh",
    "energy": "money",
    "total": "money",
}
_PRICES = ("price_per_machine_hour", "price_per_kwh", "migration_cost")


@dataclass(frozen=True)
class Cell:
    """A figure, and its range (empty: it has none)."""

    value: str
    range: str = ""


@dataclass(frozen=True)
class Row:
    """A line of the table: of this model, and of the baseline where there is one."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Assumption:
    """What the audit file takes for granted, in words."""

    label: str
    value: str


@dataclass(frozen=True)
class View:
    """The section on cost and savings, all of it in words; `lead` are the sentences for management."""

    heading: str
    lead: tuple[str, ...]
    figures_heading: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    assumptions_heading: str
    assumptions: tuple[Assumption, ...]
    notes_heading: str
    notes: tuple[str, ...]


def business(card: Scorecard, words: Words) -> View | None:
    """The section on cost and savings; None where the audit file states no prices.

    Args:
        card: the scorecard.
        words: of the section `business` in the language of the report (see `wording`).
    """
    found = card.business
    if found is None:
        return None
    axis = card.axis(_SPEED)
    return View(
        heading=words["heading"],
        lead=tuple(_lead(found, words)),
        figures_heading=words["figures"],
        heads=(words["model"], *([words["baseline"]] if found.baseline else [])),
        rows=tuple(_rows(found, words)),
        assumptions_heading=words["assumptions"],
        assumptions=tuple(assumptions(found.assumptions, words)),
        notes_heading=words["remarks"],
        notes=tuple(_notes(found, words, (axis.environment if axis else None) or card.environment)),
    )


def _lead(found: Business, words: Words) -> Iterator[str]:
    assumed, yearly = found.assumptions, found.yearly
    parts = [name for name in ("machines", "energy") if getattr(yearly, name)]
    kind = "both" if len(parts) > 1 else parts[0] if parts else "none"
    images = f"{assumed.images_per_day * assumed.days_per_year:,.0f}"
    yield words["cost"][kind].format(images=images, amount=_money(yearly.total, found, words))
    yield _saving(found, words)
    if found.payback is not None:
        yield _payback(found, words)


def _saving(found: Business, words: Words) -> str:
    saving = found.saving
    if saving is None:
        return str(words["saving"]["unknown" if found.compared else "alone"])
    if (saving.low, saving.high) == (0, 0):
        return str(words["saving"]["same"])
    if saving.high < 0:
        saving = Amount(value=-saving.value, low=-saving.high, high=-saving.low, level=saving.level)
        return str(words["saving"]["extra"].format(amount=_money(saving, found, words)))
    kind = "saves" if saving.low > 0 else "open"
    return str(words["saving"][kind].format(amount=_money(saving, found, words)))


def _payback(found: Business, words: Words) -> str:
    """The sentence on the migration; where its end is open only the soonest end can be told."""
    payback = found.payback
    assert payback is not None  # noqa: S101 - the caller looked
    cost = money(found.assumptions.migration_cost or 0.0, found.assumptions.currency, words)
    said = words["payback"]
    if payback.low is None:
        return str(said["never"].format(cost=cost))
    if payback.high is None or payback.value is None:
        return str(said["open"].format(cost=cost, low=_in(words, "years", payback.low)))
    amount = Amount(value=payback.value, low=payback.low, high=payback.high)
    return str(said["within"].format(cost=cost, amount=_whole(_cell(amount, "years", found, words), words)))


def _rows(found: Business, words: Words) -> Iterator[Row]:
    assumed = found.assumptions
    sides = [found.yearly, *([found.baseline] if found.baseline else [])]
    left_out = {
        *(["devices_needed"] if assumed.devices is None else []),
        *(["machine_hours", "devices_needed", "machines"] if assumed.price_per_machine_hour is None else []),
    }
    for name, unit in _UNITS.items():
        if name in left_out:
            continue
        amounts = [getattr(side, name) for side in sides]
        if amounts[0] is None and name in {"machines", "energy"}:  # the row above says it, or the assumptions
            continue
        if name == "total" and (found.yearly.machines is None) != (found.yearly.energy is None):  # the one part
            continue
        cells = [_cell(one, unit, found, words) if one else Cell(words["dash"]) for one in amounts]
        if amounts[0] is None:
            cells[0] = Cell(words["missing"].get(name, words["dash"]))
        yield Row(words["row"][name], tuple(cells))
    blank = (Cell(""),) * (len(sides) - 1)
    if found.saving:
        yield Row(words["row"]["saving"], (_cell(found.saving, "money", found, words), *blank))
    if found.payback:
        yield Row(words["row"]["payback"], (_paid_after(found, words), *blank))


def _paid_after(found: Business, words: Words) -> Cell:
    payback = found.payback
    assert payback is not None  # noqa: S101 - the caller looked
    value = words["format"]["never"] if payback.value is None else _in(words, "years", payback.value)
    if payback.low is None or payback.low == payback.high:
        return Cell(value)
    low = _number("years", payback.low)
    if payback.high is None:
        return Cell(value, words["range"]["years_or_never"].format(low=low))
    return Cell(value, words["range"]["years"].format(low=low, high=_number("years", payback.high)))


def assumptions(assumed: Assumptions, words: Words) -> Iterator[Assumption]:
    """What an audit file takes for granted, all of it, in the words of the section `business`."""
    for name, label in words["assumption"].items():
        value = getattr(assumed, name)
        if value is None:
            shown = words["unstated"][name]
        elif name in _PRICES:
            shown = money(value, assumed.currency, words)
        elif name == "utilisation":
            shown = words["format"]["share"].format(amount=f"{100 * value:.4g}")
        else:
            shown = amount_of(value)
        yield Assumption(label, shown)


def _notes(found: Business, words: Words, environment: Environment) -> Iterator[str]:
    assumed, yearly, said = found.assumptions, found.yearly, words["note"]
    for why in found.doubts:
        yield said["doubt"].format(why=why)
    if assumed.devices is not None and yearly.devices_needed and yearly.devices_needed.high > assumed.devices:
        needed = _whole(_cell(yearly.devices_needed, "machines", found, words), words)
        yield said["overload"].format(needed=needed, devices=_in(words, "machines", assumed.devices))
    yield from _gaps("missing", found.missing, said)
    yield from _gaps("uncompared", found.uncompared, said)
    if yearly.machine_hours is not None or yearly.energy_kwh is not None:
        place = {key: getattr(environment, key) for key in ("cpu", "device", "threads")}
        yield said["machine"].format(**place)
        yield said["forward"]
    if found.timed.startswith(_LATENCY):
        yield said["median"]
    if assumed.devices is not None and yearly.machines is not None:
        each = money(yearly.machines.value / assumed.devices, assumed.currency, words)
        yield said["fleet"].format(each=each)
    levels = [one.level for one in (yearly.total, found.saving) if one and one.level is not None]
    if levels:
        yield said["range"].format(level=words["format"]["share"].format(amount=f"{100 * min(levels):.4g}"))


def _gaps(kind: str, gaps: tuple[Gap, ...], said: Words) -> Iterator[str]:
    yield from (said[f"{kind}_{gap.what}"].format(why=gap.why.removesuffix(".")) for gap in gaps)


def _money(amount: Amount | None, found: Business, words: Words) -> str:
    return _whole(_cell(amount, "money", found, words), words) if amount else ""


def _whole(cell: Cell, words: Words) -> str:
    """A figure and its range in one piece."""
    if not cell.range:
        return cell.value
    return f"{cell.value}{words['format']['around'].format(range=cell.range)}"


def _cell(amount: Amount, unit: str, found: Business, words: Words) -> Cell:
    currency = found.assumptions.currency
    value = money(amount.value, currency, words) if unit == "money" else _in(words, unit, amount.value)
    if amount.low == amount.high:
        return Cell(value)
    low, high = _number(unit, amount.low), _number(unit, amount.high)
    return Cell(value, words["range"][unit].format(low=low, high=high, currency=called(currency, words)))


def _number(unit: str, value: float) -> str:
    return approximately(value) if unit == "years" else amount_of(value)


def _in(words: Words, unit: str, value: float) -> str:
    """A number in a unit."""
    return str(words["format"][unit].format(amount=_number(unit, value)))
