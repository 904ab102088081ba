"""The pictures of an axis: which of its tables are drawn, and what of its evidence is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.render import curve, explanations, faith, heat, roc, tradeoff
from efficiency360.render.figures import AXIS, Figures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.records import AxisRecord, Measurement, RuleResult
    from efficiency360.render.curve import Curve
    from efficiency360.render.explanations import Explained
    from efficiency360.render.faith import Faith
    from efficiency360.render.heat import Heat
    from efficiency360.render.roc import Roc
    from efficiency360.render.tradeoff import Tradeoff

HOW = {"attack", "norm"}
ALONE = Figures(missing="alone")


@dataclass(frozen=True)
class Pictures:
    """The pictures of an axis, each None where there is nothing to draw; `drawn` names the series that became one.

    `attacked` is a measurement under attack, whose params say how. `gallery` is None where nothing was attacked.
    `faith` are the curves of explanations, `explained` their maps.
    `tradeoff` is what private training keeps.
    """

    curve: Curve | None = None
    heat: Heat | None = None
    gallery: Figures | None = None
    attacked: Measurement | None = None
    faith: Faith | None = None
    explained: Explained | None = None
    roc: Roc | None = None
    tradeoff: Tradeoff | None = None

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the series that are drawn."""
        pairs = (
            (curve.SERIES, self.curve),
            (heat.SERIES, self.heat),
            (faith.SERIES, self.faith),
            (roc.SERIES, self.roc),
            (tradeoff.SERIES, self.tradeoff),
        )
        return frozenset(name for name, drawn in pairs if drawn is not None)


def pictures(record: AxisRecord, results: Sequence[RuleResult], figures: Figures) -> Pictures | None:
    """The pictures of an axis; None for one that has none.

    Args:
        record: the axis.
        results: of all rules, whose limits are drawn.
        figures: what was read from the evidence.
    """
    tables = {series.name: series for series in record.series}
    if record.id == explanations.AXIS and (curves := tables.get(faith.SERIES)):
        explained = figures.explained or explanations.Explained(missing=figures.missing)
        return Pictures(faith=faith.faith(curves), explained=explained)
    if record.id == roc.AXIS:
        found, kept = tables.get(roc.SERIES), tables.get(tradeoff.SERIES)
        both = Pictures(roc=roc.roc(found) if found else None, tradeoff=tradeoff.tradeoff(kept) if kept else None)
        return both if both.drawn else None
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
