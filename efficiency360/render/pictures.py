"""The pictures of an axis: which of its tables are drawn, and what of its evidence is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.render import explanations
from efficiency360.render.charts import corruptions, faith, latency, reliability, resolution, robustness, roc, tradeoff
from efficiency360.render.figures import AXIS, Figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.records import AxisRecord, Measurement, RuleResult, Series
    from efficiency360.render.charts.corruptions import Corruptions
    from efficiency360.render.charts.faith import Faith
    from efficiency360.render.charts.latency import Latency
    from efficiency360.render.charts.reliability import Reliability
    from efficiency360.render.charts.resolution import Resolution
    from efficiency360.render.charts.robustness import Curve
    from efficiency360.render.charts.roc import Roc
    from efficiency360.render.charts.tradeoff import Tradeoff
    from efficiency360.render.explanations import Explained

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
    heat: Corruptions | None = None
    gallery: Figures | None = None
    attacked: Measurement | None = None
    faith: Faith | None = None
    explained: Explained | None = None
    roc: Roc | None = None
    tradeoff: Tradeoff | None = None
    latency: Latency | None = None
    reliability: Reliability | None = None
    resolution: Resolution | None = None

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the series that are drawn."""
        pairs = (
            (robustness.SERIES, self.curve),
            (corruptions.SERIES, self.heat),
            (faith.SERIES, self.faith),
            (roc.SERIES, self.roc),
            (tradeoff.SERIES, self.tradeoff),
            (latency.SERIES, self.latency),
            (reliability.SERIES, self.reliability),
            (resolution.SERIES, self.resolution),
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
        return Pictures(faith=faith.read(curves), explained=explained)
    if record.id == AXIS:
        return _robustness(record, results, figures, tables)
    found = _charts(record, tables)
    return found if found.drawn else None


def _charts(record: AxisRecord, tables: Mapping[str, Series]) -> Pictures:
    """The charts of an axis that has no more than charts."""
    series = tables.get
    if record.id == roc.AXIS:
        found, kept = series(roc.SERIES), series(tradeoff.SERIES)
        return Pictures(roc=roc.read(found) if found else None, tradeoff=tradeoff.read(kept) if kept else None)
    if record.id == latency.AXIS and (runs := series(latency.SERIES)):
        return Pictures(latency=latency.read(runs, record))
    if record.id == reliability.AXIS and (bins := series(reliability.SERIES)):
        return Pictures(reliability=reliability.read(bins))
    if record.id == resolution.AXIS and series(resolution.SERIES):
        return Pictures(resolution=resolution.read(record))
    return Pictures()


def _robustness(
    record: AxisRecord, results: Sequence[RuleResult], figures: Figures, tables: Mapping[str, Series]
) -> Pictures | None:
    line, cells = tables.get(robustness.SERIES), tables.get(corruptions.SERIES)
    if not (line or cells):
        return None
    attacked = (one for one in record.measurements if one.name == robustness.JUDGED and one.params.keys() >= HOW)
    return Pictures(
        curve=robustness.read(line, results) if line else None,
        heat=corruptions.read(cells) if cells else None,
        gallery=figures if line else None,
        attacked=next(attacked, None),
    )
