"""The axes of a scorecard in the order of the wheel, as the report shows them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from efficiency360.records import FRAMEWORK_AXES, WHAT_IFS, AxisRecord, AxisScore, Caveat, RuleResult, Scorecard
from efficiency360.render.tables import Table, measurement_tables
from efficiency360.render.text import common, joined
from efficiency360.render.text import title as measurement_title
from efficiency360.render.wheel import Sector, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

State = Literal["scored", "unscored", "failed", "skipped", "absent"]
"""A measured axis with or without a score; one that failed or was skipped; one that the scorecard does not mention."""

_CAVEATS = ("critical", "warning", "info")


@dataclass(frozen=True)
class AxisView:
    """One axis as the report shows it.

    `label` is a short title for the wheel; `record` is None where the scorecard does not mention the axis; `common`
    are the params that all its measurements share; `sector` is None where the wheel leaves it out.
    """

    id: str
    title: str
    label: str
    about: str
    state: State
    record: AxisRecord | None
    score: AxisScore
    caveats: tuple[Caveat, ...]
    tables: tuple[Table, ...]
    common: str
    sector: Sector | None
    title_of: Callable[[str], str] = measurement_title

    def naming(self, measurement: str) -> str:
        """The name of one of its measurements in the language of the page."""
        return self.title_of(measurement)


def sort_caveats(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """Critical ones first, otherwise in the order given."""
    return tuple(sorted(caveats, key=lambda caveat: _CAVEATS.index(caveat.severity)))


def axis_views(
    card: Scorecard, words: Mapping[str, Mapping[str, str]], title_of: Callable[[str], str]
) -> tuple[AxisView, ...]:
    """All axes of a scorecard: those of the framework first, whether measured or not.

    Args:
        card: the scorecard.
        words: titles of axes and what they are about, in the language of the report.
        title_of: names a measurement in that language.
    """
    records = {axis.id: axis for axis in card.axes}
    scores = {score.axis: score for score in card.scores}
    ids = list(dict.fromkeys((*FRAMEWORK_AXES, *records)))
    points = [_score(records.get(axis_id), scores.get(axis_id), axis_id) for axis_id in ids]
    drawn = [score for score in points if score.axis not in WHAT_IFS]
    sectors = dict(zip((score.axis for score in drawn), wheel([score.score for score in drawn]), strict=True))
    found = (
        _axis(records.get(score.axis), score, sectors.get(score.axis), card.verdict.rules, words) for score in points
    )
    return tuple(replace(axis, title_of=title_of) for axis in found)


def _score(record: AxisRecord | None, score: AxisScore | None, axis_id: str) -> AxisScore:
    """The score of a measured axis; an axis that was not measured has none, whatever the scorecard claims."""
    measured = record is not None and record.status == "measured"
    return score if measured and score else AxisScore(axis=axis_id)


def _axis(
    record: AxisRecord | None,
    score: AxisScore,
    sector: Sector | None,
    rules: Sequence[RuleResult],
    words: Mapping[str, Mapping[str, str]],
) -> AxisView:
    known = words.get(score.axis, {"title": score.axis.replace("_", " ").capitalize(), **words["_unknown"]})
    return AxisView(
        id=score.axis,
        title=known["title"],
        label=known.get("label", known["title"]),
        about=known["about"],
        state=_state(record, score),
        record=record,
        score=score,
        caveats=sort_caveats(record.caveats) if record else (),
        tables=measurement_tables(record, rules) if record else (),
        common=joined(common(record.measurements)) if record else "",
        sector=sector,
    )


def _state(record: AxisRecord | None, score: AxisScore) -> State:
    if record is None:
        return "absent"
    if record.status != "measured":
        return record.status
    return "unscored" if score.score is None else "scored"
