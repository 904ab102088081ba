"""The pictures of an axis: which of its tables are drawn, and what of its evidence is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.render import curve, heat, tradeoff
from efficiency360.render.figures import AXIS, Figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.records import AxisRecord, Measurement, RuleResult
    from efficiency360.render.curve import Curve
    from efficiency360.render.heat import Heat
    from efficiency360.render.tradeoff import Tradeoff

HOW = {"attack", "norm"}
ALONE = Figures(missing="alone")


@dataclass(frozen=True)
class Pictures:
    """The pictures of an axis, each None where there is nothing to draw; `drawn` names the series that became one.

    `attacked` is a measurement under attack, whose params say how. `gallery` is None where nothing was attacked.
    `tradeoff` is what private training keeps.
    """

    curve: Curve | None = None
    heat: Heat | None = None
    gallery: Figures | None = None
    attacked: Measurement | None = None
    tradeoff: Tradeoff | None = None

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the series that are drawn."""
        pairs = ((curve.SERIES, self.curve), (heat.SERIES, self.heat), (tradeoff.SERIES, self.tradeoff))
        return frozenset(name for name, drawn in pairs if drawn is not None)


def pictures(record: AxisRecord, results: Sequence[RuleResult], figures: Figures) -> Pictures | None:
    """The pictures of an axis; None for one that has none.

    Args:
        record: the axis.
        results: of all rules, whose limits are drawn.
        figures: what was read from the evidence.
    """
    tables = {series.name: series for series in record.series}
    if (kept := tables.get(tradeoff.SERIES)) and (drawn := tradeoff.tradeoff(kept)):
        return Pictures(tradeoff=drawn)
    line, cells = tables.get(curve.SERIES), tables.get(heat.SERIES)
    if record.id != AXIS or not (line or cells):
        return None
    attacked = (one for one in record.measurements if one.name == curve.JUDGED and one.params.keys() >= HOW)
    return Pictures(
        curve=curve.curve(line, results) if line else None,
        heat=heat.heat(cells) if cells else None,
        gallery=figures if line else None,
        attacked=next(attacked, None),
    )
