"""Measurements and an audit file -> scores and a verdict. Pure, deterministic, and never better for measuring less."""

from datetime import date

from efficiency360.judge.business import safely
from efficiency360.judge.relative import NOT_GIVEN, Against
from efficiency360.judge.scoring import overall_score, score_axes
from efficiency360.judge.verdict import decide
from efficiency360.records import FRAMEWORK_AXES, AxisRecord, Judgement
from efficiency360.spec import AuditSpec

__all__ = ["NOT_GIVEN", "Against", "judge"]


def judge(
    spec: AuditSpec, axes: tuple[AxisRecord, ...], *, against: Against | None = None, today: date = date.max
) -> Judgement:
    """Judge the axes of an audit.

    Args:
        spec: the audit file.
        axes: records of all axes that were measured, failed or skipped.
        against: this audit's samples and the baseline, for rules that compare with one.
        today: the day on which waivers have to hold; without it none does.
    """
    ranges = score_axes(spec, axes)
    measured = {axis.id for axis in axes if axis.status == "measured"}
    return Judgement(
        scores=tuple(score.record for score in ranges),
        overall=overall_score(ranges),
        coverage=len(measured & set(FRAMEWORK_AXES)) / len(FRAMEWORK_AXES),
        verdict=decide(spec, axes, against=against, today=today),
        business=safely(spec.business, axes, against) if spec.business else None,
    )
