"""Points, the overall range and grades: pessimistic, and never better for measuring less."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficiency360.judge import judge
from efficiency360.judge.scoring import grade, points, score_axes
from efficiency360.records import FRAMEWORK_AXES, AxisRecord
from efficiency360.spec import AuditSpec, ScoreSpec

TOP1 = {"measurement": "accuracy.top1", "zero": 0.5, "full": 1.0}
MACS = {"measurement": "cost.macs", "zero": 20e9, "full": 0.1e9, "scale": "log"}
AXES = (*FRAMEWORK_AXES, "plugin")
anchors = st.floats(-1e6, 1e6, allow_subnormal=False)


def score_spec(**fields: object) -> ScoreSpec:
    return ScoreSpec.model_validate({"measurement": "x.y", "rationale": "why", **fields})


class TestPoints:
    @pytest.mark.parametrize(
        ("zero", "full", "value", "expected"),
        [
            (0.5, 1, 0.5, 0),
            (0.5, 1, 1, 100),
            (0.5, 1, 0.75, 50),
            (0.5, 1, 0.4, 0),
            (0.5, 1, 2, 100),
            (10, 0, 0, 100),
            (10, 0, 10, 0),
            (10, 0, 2.5, 75),
            (10, 0, 11, 0),
            (-1, 1, 0, 50),
        ],
    )
    def test_on_a_linear_scale(self, zero, full, value, expected):
        assert points(score_spec(zero=zero, full=full), value) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("zero", "full", "value", "expected"),
        [
            (1, 100, 10, 50),
            (1, 100, 1, 0),
            (1, 100, 100, 100),
            (1, 100, 0, 0),
            (1, 100, -5, 0),
            (100, 1, 10, 50),
            (100, 1, 1000, 0),
            (100, 1, 0, 100),
            (20e9, 0.1e9, math.sqrt(20e9 * 0.1e9), 50),
            (1e300, 1e-300, 1, 50),
            (1e-300, 1e300, 1e-308, 0),
        ],
    )
    def test_on_a_logarithmic_scale(self, zero, full, value, expected):
        assert points(score_spec(zero=zero, full=full, scale="log"), value) == pytest.approx(expected)

    @settings(derandomize=True, deadline=None)
    @given(anchors, anchors, st.lists(anchors, min_size=2, max_size=2).map(sorted), st.sampled_from(["linear", "log"]))
    def test_they_stay_between_0_and_100_and_rise_towards_full(self, zero, full, values, scale):
        if scale == "log":
            zero, full = abs(zero) + 1, abs(full) + 1
        if math.isclose(zero, full, rel_tol=1e-6):
            return
        below, above = (points(score_spec(zero=zero, full=full, scale=scale), value) for value in values)
        assert 0 <= below <= 100
        assert 0 <= above <= 100
        assert below <= above if full > zero else below >= above


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        (100, "A"),
        (90, "A"),
        (89.9, "B"),
        (75, "B"),
        (74.9, "C"),
        (60, "C"),
        (59.9, "D"),
        (40, "D"),
        (39.9, "E"),
        (0, "E"),
    ],
)
def test_grades_begin_at_90_75_60_and_40(value, letter):
    assert grade(value) == letter


class TestAnAxis:
    def score(self, make, scores, *measurements):
        (one,) = score_axes(make.spec(scores=scores), [make.axis(*measurements)])
        return one

    def test_is_scored_by_the_low_end_where_more_is_better(self, make):
        assert self.score(make, [TOP1], make.number("accuracy.top1", 0.9, 0.75, 0.95, better="higher")).low == 50

    def test_is_scored_by_the_high_end_where_less_is_better(self, make):
        cost = make.axis(make.number("cost.macs", 0.1e9, 0.1e9, 20e9, better="lower"))
        (one,) = score_axes(make.spec("cost", scores=[MACS]), [cost])
        assert one.low == 0

    @pytest.mark.parametrize("better", ["higher", "lower", None])
    def test_is_scored_by_the_end_that_earns_fewer_points_whatever_the_measurement_says(self, make, better):
        number = make.number("accuracy.top1", 0.9, 0.75, 0.95, better=better)
        assert self.score(make, [TOP1], number).low == 50
        assert self.score(make, [{**TOP1, "zero": 1.0, "full": 0.5}], number).low == pytest.approx(10)

    def test_is_a_weighted_mean_of_its_scores(self, make):
        scores = [{**TOP1, "weight": 3}, {**TOP1, "measurement": "accuracy.top5"}]
        one = self.score(make, scores, make.number("accuracy.top1", 1.0), make.number("accuracy.top5", 0.5))
        assert (one.low, one.high) == (75, 75)

    def test_that_is_perfect_in_everything_gets_all_points_whatever_the_weights(self, make):
        names = [f"accuracy.y{index}" for index in range(3)]
        for weights in ([0.1, 0.2, 0.3], [0.7, 0.1, 0.3], [1, 1, 1]):
            entries = [{**TOP1, "measurement": name, "weight": w} for name, w in zip(names, weights, strict=True)]
            assert self.score(make, entries, *(make.number(name, 1.0) for name in names)).low == 100

    def test_counts_only_the_worst_of_several_measurements(self, make):
        score = {**TOP1, "measurement": "accuracy.per_class", "zero": 0, "full": 1}
        found = [make.number("accuracy.per_class", v, params={"class": str(v)}) for v in (0.9, 0.3, 0.7)]
        assert self.score(make, [score], *found).low == 30
        assert self.score(make, [{**score, "params": {"class": "0.7"}}], *found).low == 70

    def test_counts_what_was_not_measured_0_at_its_low_and_100_at_its_high_end(self, make):
        scores = [TOP1, {**TOP1, "measurement": "accuracy.top5"}]
        one = self.score(make, scores, make.number("accuracy.top1", 1.0))
        assert (one.low, one.high, one.scored) == (50, 100, True)
        assert one.record.score == 50

    def test_has_no_score_where_nothing_that_is_scored_was_measured(self, make):
        for scores in ([], [{**TOP1, "measurement": "accuracy.top5"}]):
            one = self.score(make, scores, make.number("accuracy.top1", 1.0))
            assert (one.low, one.high, one.scored) == (0, 100, False)
            assert (one.record.score, one.record.grade) == (None, None)

    @pytest.mark.parametrize("status", ["skipped", "failed"])
    def test_has_no_score_where_it_was_not_measured(self, make, status):
        (one,) = score_axes(make.spec(scores=[TOP1]), [make.missing("accuracy", status)])
        assert (one.low, one.high) == (0, 100)
        assert one.record.score is None

    def test_is_not_scored_by_the_measurements_of_another(self, make):
        axes = [make.axis(make.number("accuracy.top1", 1.0)), make.axis(make.number("cost.macs", 20e9))]
        assert [one.low for one in score_axes(make.spec("accuracy cost", scores=[TOP1, MACS]), axes)] == [100, 0]

    @settings(derandomize=True, deadline=None)
    @given(st.floats(0, 1))
    def test_never_shows_a_score_that_its_grade_does_not_match(self, make, value):
        record = self.score(make, [{**TOP1, "zero": 0}], make.number("accuracy.top1", value)).record
        assert record.grade == grade(record.score)
        assert record.score <= 100 * value + 1e-6


class TestOverall:
    def test_counts_every_axis_of_the_framework_alike(self, make):
        judgement = judge(make.spec(scores=[TOP1]), (make.axis(make.number("accuracy.top1", 1.0)),))
        assert judgement.overall.low == pytest.approx(100 / 11, abs=0.1)
        assert judgement.overall.high == 100
        assert judgement.overall.grade == "E"
        assert judgement.coverage == pytest.approx(1 / 11)

    def test_is_exact_where_everything_was_measured(self, make):
        axes = tuple(make.axis(make.number(f"{axis_id}.y", 0.75)) for axis_id in FRAMEWORK_AXES)
        scores = [{"measurement": f"{axis_id}.y", "zero": 0, "full": 1} for axis_id in FRAMEWORK_AXES]
        judgement = judge(make.spec(" ".join(FRAMEWORK_AXES), scores=scores), axes)
        assert (judgement.overall.low, judgement.overall.high, judgement.overall.grade) == (75, 75, "B")
        assert judgement.coverage == 1

    def test_of_nothing_is_anything(self, make):
        judgement = judge(make.spec(), ())
        assert (judgement.overall.low, judgement.overall.high, judgement.overall.grade) == (0, 100, "E")
        assert judgement.coverage == 0

    def test_does_not_change_with_a_plugin_whether_measured_or_only_installed(self, make):
        scores = [TOP1, {"measurement": "plugin.y", "zero": 0, "full": 1}]
        audit, accuracy = make.spec("accuracy plugin", scores=scores), make.axis(make.number("accuracy.top1", 0.9))
        with_it = judge(audit, (accuracy, make.axis(make.number("plugin.y", 1.0))))
        assert [score.score for score in with_it.scores] == [80, 100]
        for axes in ((accuracy,), (accuracy, make.missing("plugin"))):
            assert judge(audit, axes).overall == with_it.overall
            assert judge(audit, axes).coverage == with_it.coverage


@st.composite
def audits(draw, make):
    """An audit over some axes and the records that a run of it could give."""
    named = draw(st.lists(st.sampled_from(AXES), min_size=2, max_size=5, unique=True))
    entries, records = [], []
    for axis_id in named:
        for kind in range(draw(st.integers(0, 3))):
            full = draw(st.integers(1, 10))
            zero = draw(st.integers(1, 10).filter(lambda z, full=full: z != full))
            scale, weight = draw(st.sampled_from(["linear", "log"])), draw(st.floats(0.001, 1e6))
            name = f"{axis_id}.m{kind}"
            entries.append({"measurement": name, "zero": zero, "full": full, "scale": scale, "weight": weight})
        status = draw(st.sampled_from(["measured", "measured", "skipped", "failed", None]))
        if status == "measured":
            numbers = draw(st.lists(st.tuples(st.floats(0, 11), st.floats(0, 3)), min_size=1, max_size=3))
            found = [make.number(f"{axis_id}.m{i}", x, max(0, x - w), x + w) for i, (x, w) in enumerate(numbers)]
            records.append(make.axis(*found))
        elif status:
            records.append(make.missing(axis_id, status))
    rules = [{"id": axis_id, "measurement": f"{axis_id}.m0", "at_least": draw(st.integers(0, 10))} for axis_id in named]
    return make.spec(" ".join(named), scores=entries, rules=rules), tuple(records)


def without(spec: AuditSpec, axis_id: str) -> AuditSpec:
    """The audit file after its author took everything about an axis out."""
    return spec.model_copy(
        update={
            "axes": {key: axis for key, axis in spec.axes.items() if key != axis_id},
            "scores": tuple(s for s in spec.scores if not s.measurement.startswith(f"{axis_id}.")),
            "rules": tuple(r for r in spec.rules if not r.measurement.startswith(f"{axis_id}.")),
        }
    )


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.data())
def test_removing_an_axis_never_raises_the_low_end_nor_the_coverage_nor_narrows_the_range(make, data):
    spec, records = data.draw(audits(make))
    before = judge(spec, records)
    assert before.overall.low <= before.overall.high
    removed = data.draw(st.sampled_from(sorted(spec.axes)))
    gone = tuple(record for record in records if record.id != removed)
    skipped: tuple[AxisRecord, ...] = (*gone, make.missing(removed))
    for audit in (spec, without(spec, removed)):
        for axes in (gone, skipped):
            after = judge(audit, axes)
            assert after.overall.low <= before.overall.low
            assert after.overall.high >= before.overall.high
            assert after.coverage <= before.coverage


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.data())
def test_the_order_of_axes_does_not_matter(make, data):
    spec, records = data.draw(audits(make))
    before, after = judge(spec, records), judge(spec, records[::-1])
    assert after.overall == before.overall
    assert after.verdict.outcome == before.verdict.outcome
    assert {score.axis: score for score in after.scores} == {score.axis: score for score in before.scores}
