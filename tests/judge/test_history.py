"""Past audits over time: in order, joined only where they can be compared, and never over a gap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from efficiency360.audited import Audited
from efficiency360.judge import judge
from efficiency360.judge.comparing import Difference
from efficiency360.judge.history import History, Release, Trend, history
from efficiency360.records import (
    AxisRecord,
    DatasetRecord,
    Environment,
    Interval,
    Measurement,
    Scorecard,
    SubjectRecord,
)
from efficiency360.spec import AuditSpec, AxisSpec, ScoreSpec
from efficiency360.statistics.intervals import wilson

SPEC = AuditSpec(
    title="A gate",
    axes={"accuracy": AxisSpec()},
    scores=(ScoreSpec(measurement="accuracy.top1", zero=0.5, full=1, rationale="why"),),
)


def top1(right: int, n: int = 1000) -> AxisRecord:
    row = Measurement(
        name="accuracy.top1", value=right / n, unit="proportion", better="higher", n=n, interval=wilson(right, n)
    )
    return AxisRecord(id="accuracy", version=1, status="measured", measurements=(row,))


def latency(ms: float, **params: Any) -> AxisRecord:
    row = Measurement(
        name="speed.latency_ms",
        value=ms,
        unit="ms",
        better="lower",
        n=400,
        interval=Interval(low=0.97 * ms, high=1.03 * ms, level=0.95, method="order statistics"),
        params={"stat": "p50", "batch": 1, "threads": 2, **params},
    )
    return AxisRecord(id="speed", version=1, status="measured", measurements=(row,))


def skipped(axis: str) -> AxisRecord:
    return AxisRecord(id=axis, version=1, status="skipped", reason="it was left out")


def release(day: int, *axes: AxisRecord, data: str = "cd", host: str = "ef", spec: AuditSpec = SPEC) -> Release:
    environment = Environment(
        host=host * 32,
        host_class=host * 8,
        cpu="a processor",
        device="cpu",
        threads=2,
        platform="Linux",
        versions={},
        seeds={},
        isolation=(),
        started_at=f"2026-01-{day:02d}T00:00:00+00:00",
    )
    subject = SubjectRecord(
        name=f"net-{day}", file=None, fingerprint=None, kind="module", arch=None, num_classes=2, input=None
    )
    dataset = DatasetRecord(name="cats", kind="npz", fingerprint=data * 32, n=1000, available=1000)
    card = Scorecard(
        subject=subject,
        dataset=dataset,
        environment=environment,
        audit=spec.record,
        command="e360 audit net",
        axes=axes,
        **judge(spec, axes).__dict__,
    )
    return Release(f"v{day}", card, Audited(subject, dataset, environment, axes))


def trend(found: History, name: str) -> Trend:
    return next(one for one in found.trends if one.name == name)


def test_audits_are_ordered_by_their_time_whatever_order_they_come_in() -> None:
    found = history([release(3, top1(900)), release(1, top1(800)), release(2, top1(850))])
    assert [one.name for one in found.releases] == ["v1", "v2", "v3"]
    values = [point.measurement and point.measurement.value for point in trend(found, "accuracy.top1").points]
    assert values == [0.8, 0.85, 0.9]


def test_times_of_different_zones_are_ordered_as_moments() -> None:
    late, early = release(1, top1(800)), release(2, top1(850))
    moved = late.card.environment.model_copy(update={"started_at": "2026-01-01T23:00:00-05:00"})
    late = replace(late, card=late.card.model_copy(update={"environment": moved}))
    sooner = early.card.environment.model_copy(update={"started_at": "2026-01-02T03:00:00"})
    early = replace(early, card=early.card.model_copy(update={"environment": sooner}))
    assert [one.name for one in history([late, early]).releases] == ["v2", "v1"]


def test_a_step_that_sampling_explains_is_no_difference_and_a_large_one_is() -> None:
    points = trend(
        history([release(1, top1(850)), release(2, top1(855)), release(3, top1(700))]), "accuracy.top1"
    ).points
    outcomes = [point.against.outcome if isinstance(point.against, Difference) else None for point in points]
    assert outcomes == [None, "open", "worse"]


@pytest.mark.parametrize(
    ("changed", "axis", "why"),
    [
        ({"data": "ab"}, top1(850), "the data differ"),
        ({"host": "ab"}, latency(10), "the hardware differs"),
        ({}, top1(850).model_copy(update={"version": 2}), "version"),
        ({}, top1(850).model_copy(update={"settings": {"batch_size": 8}}), "settings differ"),
        ({}, latency(10, threads=8), "threads=8"),
    ],
)
def test_what_cannot_be_compared_is_not_joined_and_says_why(
    changed: dict[str, Any], axis: AxisRecord, why: str
) -> None:
    before = latency(10) if axis.id == "speed" else top1(850)
    found = history([release(1, before), release(2, axis, **changed), release(3, axis, **changed)])
    (line,) = found.trends
    assert isinstance(line.points[1].against, str)
    assert why in line.points[1].against
    assert [line.joined(index) for index in range(3)] == [False, False, True]


def test_data_matter_only_to_what_is_measured_on_them() -> None:
    found = history([release(1, latency(10)), release(2, latency(11), data="ab")])
    assert trend(found, "speed.latency_ms").joined(1)


def test_a_gap_is_never_bridged_though_the_numbers_beside_it_are_compared() -> None:
    found = history([release(1, top1(850)), release(2, skipped("accuracy")), release(3, top1(700)), release(4)])
    line = trend(found, "accuracy.top1")
    assert [line.joined(index) for index in range(4)] == [False, False, False, False]
    assert line.points[1].measurement is None
    assert line.points[1].why == "skipped: it was left out"
    assert isinstance(line.points[2].against, Difference)
    assert line.points[3].why == "the audit did not have the axis"


def test_scores_are_joined_under_one_audit_file_only() -> None:
    strict = SPEC.model_copy(update={"title": "Another gate"})
    found = history([release(1, top1(850)), release(2, top1(850), spec=strict), release(3, top1(850), spec=strict)])
    (scores,) = found.scores
    assert scores.same == (False, False, True)
    assert all(score is not None for score in scores.points)


def test_of_many_variants_the_worst_of_the_latest_audit_is_followed_back() -> None:
    def attacked(strong: float, weak: float) -> AxisRecord:
        rows = tuple(
            Measurement(
                name="robustness.adversarial_accuracy",
                value=value,
                unit="proportion",
                better="higher",
                n=100,
                interval=wilson(round(100 * value), 100),
                params={"eps": eps},
            )
            for eps, value in ((0.1, weak), (0.2, strong))
        )
        return AxisRecord(id="robustness", version=1, status="measured", measurements=rows)

    found = history([release(1, attacked(0.6, 0.5)), release(2, attacked(0.3, 0.7))])
    line = trend(found, "robustness.adversarial_accuracy")
    assert line.params == {"eps": 0.2}
    assert [point.measurement.value for point in line.points if point.measurement] == [0.6, 0.3]


def test_an_axis_of_a_plug_in_is_followed_by_its_first_number_with_a_direction() -> None:
    rows = (
        Measurement(name="plugin.seen", value=3, unit=""),
        Measurement(name="plugin.good", value=0.5, unit="", better="higher"),
    )
    axis = AxisRecord(id="plugin", version=1, status="measured", measurements=rows)
    found = history([release(1, top1(800), axis), release(2, top1(800), axis)])
    assert found.axes == ("accuracy", "plugin")
    assert trend(found, "plugin.good").joined(1)


def test_one_audit_is_a_history_too() -> None:
    found = history([release(1, top1(850))])
    assert not trend(found, "accuracy.top1").joined(0)


def test_without_a_time_there_is_no_place_in_it() -> None:
    odd = release(1, top1(850))
    environment = odd.card.environment.model_copy(update={"started_at": "yesterday"})
    with pytest.raises(ValueError, match="yesterday"):
        history([replace(odd, card=odd.card.model_copy(update={"environment": environment}))])
