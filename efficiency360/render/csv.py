"""Measurements as a table for spreadsheets: RFC 4180, UTF-8, one row a measurement.

Names come from outside, and a spreadsheet takes a cell that begins with `=` for a formula, so such cells are
neutralised (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from efficiency360.render import text
from efficiency360.render.tables import by_measurement, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from efficiency360.business import Business
    from efficiency360.records import AxisRecord, Caveat, Measurement, RuleResult, Scorecard
    from efficiency360.render.tables import Key

COLUMNS = (
    *("axis", "name", "params", "value", "unit", "n", "low", "high", "level", "better", "caveats"),
    *("baseline", "worse_by", "worse_low", "worse_high", "worse_relative", "rules"),
)
_NUMBER = r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?"
_FORMULA = re.compile(
    rf"""(?P<start>^|[;,|])(?P<blank>[\s"]*+)(?!{_NUMBER}\s*(?:$|[;,|]))(?=[=+@-]|[\uff1d\uff0b\uff20\uff0d])"""
)
"""Also full-width, and behind what some spreadsheet takes for the end of a cell; numbers are numbers."""
_LONGEST = 10_000
_INDENT = re.compile(r"\s*[\t\r\n]")


def render(card: Scorecard) -> str:
    """The measurements of a scorecard as CSV; the same scorecard gives the same bytes.

    Numbers are in full and without thousands separators; a cell is empty where there is nothing to say. `caveats` holds
    the ids of what a reader must know: of the axis, then of the model, then of the data. `worse_by` and its ends are
    positive where the number is worse than the baseline's, in its unit or, where `worse_relative`, as a share of it;
    `rules` says what came of the rules on the number, with their waivers. What a year costs comes last, as the axis
    `business`, in the currency that its unit names.
    """
    about = card.subject.caveats + (card.dataset.caveats if card.dataset else ())
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    rules = by_measurement(card.verdict.rules)
    writer.writerows(row for axis in card.axes for row in _rows(axis, about, rules))
    writer.writerows(_business(card.business) if card.business else ())
    return page.getvalue()


def _rows(
    axis: AxisRecord, about: tuple[Caveat, ...], rules: Mapping[Key, Sequence[RuleResult]]
) -> Iterator[list[str]]:
    caveats = " ".join(dict.fromkeys(caveat.id for caveat in axis.caveats + about))
    for measurement in axis.measurements:
        judged = rules.get(key_of(measurement), ())
        cells = (*_cells(measurement), caveats, *_against(judged), "; ".join(map(_said, judged)))
        yield [axis.id, *map(harmless, cells)]


def _business(found: Business) -> Iterator[list[str]]:
    """Yearly cost, saving and pay-back; what is not known has no row."""
    currency = found.assumptions.currency
    units = {"machine_hours": "h", "energy_kwh": "kWh", "devices_needed": "machines"}
    amounts = [
        (f"{name}{end}", getattr(side, name))
        for side, end in ((found.yearly, ""), (found.baseline, "_baseline"))
        for name in (type(side).model_fields if side else ())
    ]
    for name, amount in [*amounts, ("saving", found.saving)]:
        if amount is not None:
            unit = units.get(name.removesuffix("_baseline"), currency)
            yield _business_row(name, unit, amount.value, amount.low, amount.high, amount.level)
    if found.payback:
        yield _business_row("payback", "years", found.payback.value, found.payback.low, found.payback.high, None)


def _business_row(name: str, unit: str, *numbers: float | None) -> list[str]:
    value, low, high, level = ("" if one is None else str(one) for one in numbers)
    known = {"axis": "business", "name": f"business.{name}", "value": value, "unit": unit}
    known |= {"low": low, "high": high, "level": level}
    return [known.get(column, "") for column in COLUMNS]


def _cells(measurement: Measurement) -> Iterator[str]:
    interval = measurement.interval
    yield from (measurement.name, text.params(measurement))
    yield from (str(measurement.value), measurement.unit)
    yield "" if measurement.n is None else str(measurement.n)
    yield from (str(interval.low), str(interval.high), str(interval.level)) if interval else ("", "", "")
    yield measurement.better or ""


def _against(rules: Sequence[RuleResult]) -> Iterator[str]:
    """How a number compares with the baseline; all rules on it that compare say the same."""
    found = next((rule.comparison for rule in rules if rule.comparison), None)
    if found is None:
        yield from [""] * 5
        return
    yield from (str(found.baseline), str(found.worse_by))
    yield from (str(found.interval.low), str(found.interval.high)) if found.interval else ("", "")
    yield str(found.relative).lower()


def _said(rule: RuleResult) -> str:
    waiver = f" ({text.waiver(rule)})" if rule.waiver and rule.outcome != "pass" else ""
    return f"{rule.rule}: {text.outcome(rule)}{waiver}"


def harmless(cell: str) -> str:
    """A cell that no spreadsheet computes and no terminal obeys; numbers and ordinary text stay as they are.

    What would begin a formula gets an apostrophe before it, also behind a character that some spreadsheet takes for the
    end of a cell; control characters are made visible, and what is longer than spreadsheets take is cut.
    """
    cell = text.cut(cell, _LONGEST)
    indented = "'" if _INDENT.match(cell) else ""
    return text.plain(indented + _FORMULA.sub(r"\g<start>'\g<blank>", cell))
