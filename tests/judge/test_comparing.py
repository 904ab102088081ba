"""Audits side by side: which numbers stand in one line, and what their difference from the first amounts to."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from efficiency360.audited import Audited
from efficiency360.judge import comparing, pareto
from efficiency360.judge.comparison import Found
from efficiency360.records import AxisRecord, Comparison, Environment, Interval, Measurement, SubjectRecord

ENVIRONMENT = Environment(
    host="0f" * 32, cpu="c", device="cpu", threads=2, platform="p", versions={}, seeds={}, isolation=(), started_at="t"
)


@dataclass(frozen=True)
class Wanted:
    """A measurement to pick."""

    name: str
    params: dict = field(default_factory=dict)
    best: bool = False


def number(name, value, better="higher", **params):
    return Measurement(name=name, value=value, unit="", better=better, params=params)


def audit(*measurements, name="a"):
    ids = dict.fromkeys(one.name.partition(".")[0] for one in measurements)
    axes = tuple(
        AxisRecord(
            id=axis,
            version=1,
            status="measured",
            measurements=tuple(one for one in measurements if one.name.startswith(f"{axis}.")),
        )
        for axis in ids
    )
    fields = dict.fromkeys(("file", "fingerprint", "arch", "num_classes", "input"))
    subject = SubjectRecord(name=name, kind="state_dict", **fields)
    return Audited(subject=subject, dataset=None, environment=ENVIRONMENT, axes=axes)


@pytest.fixture
def asked(monkeypatch):
    """Comparisons that differ by the values, give or take the `slack` param; a `where` that differs is refused."""
    calls = []

    def compare(measurement, here, there):
        calls.append((measurement.label, here.subject.name, there.subject.name))
        axis = there.axis(measurement.name.partition(".")[0])
        other = next(one for one in axis.measurements if one.name == measurement.name)
        if here.subject.kind != there.subject.kind:
            return "the kinds differ"
        worse_by = (measurement.value - other.value) * (1 if measurement.better == "lower" else -1)
        slack = measurement.params.get("slack")
        ends = {"low": worse_by - (slack or 0), "high": worse_by + 2 * (slack or 0)}
        interval = Interval(**ends, level=0.95, method="m") if slack is not None else None
        found = Comparison(baseline=other.value, worse_by=worse_by, interval=interval, relative=False)
        return Found(found, None, lambda _: None)

    monkeypatch.setattr(comparing, "compare", compare)
    return calls


def against(*numbers):
    """The difference of the second number from the first."""
    (line,) = comparing.tabulate([audit(one) for one in numbers]).axes["x"]
    return line.against[1]


class TestDifferences:
    @pytest.mark.parametrize(
        ("better", "old", "new", "outcome"),
        [
            ("higher", 1.0, 2.0, "better"),
            ("higher", 2.0, 1.0, "worse"),
            ("lower", 1.0, 2.0, "worse"),
            ("lower", 2.0, 1.0, "better"),
            ("lower", 2.0, 2.0, "same"),
            (None, 1.0, 2.0, "differs"),
            (None, 1.0, 1.0, "same"),
        ],
    )
    @pytest.mark.usefixtures("asked")
    def test_exact_numbers_differ_exactly_and_by_new_less_reference(self, better, old, new, outcome):
        found = against(number("x.y", old, better), number("x.y", new, better))
        assert (found.outcome, found.change, found.interval) == (outcome, new - old, None)

    @pytest.mark.usefixtures("asked")
    def test_an_interval_with_0_in_it_shows_no_difference_even_where_the_values_are_equal(self):
        for new in (1.0, 1.2, 0.9):
            assert against(number("x.y", 1.0, slack=0.3), number("x.y", new, slack=0.3)).outcome == "open"
        assert against(number("x.y", 1.0, slack=0.3), number("x.y", 1.7, slack=0.3)).outcome == "better"

    @pytest.mark.usefixtures("asked")
    def test_an_interval_that_ends_at_0_still_shows_none(self):
        assert against(number("x.y", 0.0, "lower", slack=0.5), number("x.y", 0.5, "lower", slack=0.5)).outcome == "open"

    @pytest.mark.usefixtures("asked")
    def test_the_interval_turns_with_the_sign(self):
        found = against(number("x.y", 1.0, slack=0.1), number("x.y", 2.0, slack=0.1))
        assert found.interval.low == pytest.approx(0.8)
        assert found.interval.high == pytest.approx(1.1)

    @pytest.mark.usefixtures("asked")
    def test_what_cannot_be_compared_says_why_and_keeps_its_number(self):
        odd = audit(number("x.y", 2))
        odd = Audited(odd.subject.model_copy(update={"kind": "onnx"}), None, ENVIRONMENT, odd.axes)
        (line,) = comparing.tabulate([audit(number("x.y", 1)), odd]).axes["x"]
        assert line.against == (None, "the kinds differ")
        assert [one.value for one in line.found] == [1, 2]

    def test_a_number_that_one_side_lacks_is_compared_with_nothing(self, asked):
        lines = comparing.tabulate([audit(number("x.y", 1)), audit(number("x.z", 2))]).axes["x"]
        assert [line.against for line in lines] == [(None, None)] * 2
        assert [[bool(one) for one in line.found] for line in lines] == [[True, False], [False, True]]
        assert not asked


class TestLines:
    def test_other_threads_stand_in_one_line_but_are_not_compared(self, asked):
        assert against(number("x.y", 1, batch=1, threads=2), number("x.y", 1, batch=1, threads=4)) == (
            "measured with threads=4, the reference with threads=2"
        )
        assert not asked

    def test_another_host_is_for_the_comparison_to_judge(self, asked):
        against(number("x.y", 1, host="a"), number("x.y", 1, host="b"))
        assert len(asked) == 1

    @pytest.mark.usefixtures("asked")
    def test_threads_tell_apart_what_nothing_else_does(self):
        both = [number("x.y", value, threads=value) for value in (1, 2)]
        lines = comparing.tabulate([audit(*both), audit(*both)]).axes["x"]
        assert [[one.value for one in line.found] for line in lines] == [[1, 1], [2, 2]]

    @pytest.mark.usefixtures("asked")
    def test_the_line_that_most_have_is_picked_and_the_first_of_those(self):
        one = audit(number("x.y", 1, k=1), number("x.y", 2, k=2), number("x.y", 3, k=3))
        other = audit(number("x.y", 5, k=3), number("x.y", 4, k=2))
        table = comparing.tabulate([one, other])
        assert table.pick(Wanted("x.y")).params == {"k": 2}
        assert table.pick(Wanted("x.y", {"k": 1})).measured == 1
        assert table.pick(Wanted("x.y", best=True)).params == {"k": 3}
        assert table.pick(Wanted("x.z")) is None
        assert table.pick(Wanted("z.y")) is None

    @pytest.mark.usefixtures("asked")
    def test_the_best_is_the_least_where_lower_is_better(self):
        one = audit(number("x.y", 1, "lower", k=1), number("x.y", 2, "lower", k=2))
        assert comparing.tabulate([one, one]).pick(Wanted("x.y", best=True)).params == {"k": 1}

    def test_a_pair_is_compared_only_once(self, asked):
        table = comparing.tabulate([audit(number("x.y", 1), name="a"), audit(number("x.y", 2), name="b")])
        line = table.pick(Wanted("x.y"))
        assert table.sides.difference(line, 1, 0) == line.against[1]
        assert asked == [("x.y", "b", "a")]


def models(*pairs, slack=None):
    """Audits with a cost and a quality each."""
    params = {} if slack is None else {"slack": slack}
    return [
        audit(number("cost.c", cost, "lower"), number("good.q", quality, **params), name=str(index))
        for index, (cost, quality) in enumerate(pairs)
    ]


def plot(audits):
    table = comparing.tabulate(audits)
    found = pareto.plots(table.sides, [table.pick(Wanted("good.q"))], [table.pick(Wanted("cost.c"))])
    return found[0] if found else None


@pytest.mark.usefixtures("asked")
class TestFront:
    def test_who_is_dearer_and_not_better_is_beaten_and_by_whom_is_said(self):
        points = plot(models((1, 0.5), (2, 0.7), (3, 0.6), (4, 0.7))).points
        assert [point.standing for point in points] == ["front", "front", "beaten", "beaten"]
        assert [point.by for point in points] == [None, None, 1, 1]

    def test_equal_models_do_not_beat_each_other(self):
        assert {point.standing for point in plot(models((1, 0.5), (1, 0.5))).points} == {"front"}

    def test_where_sampling_leaves_it_open_nobody_is_beaten(self):
        points = plot(models((1, 0.70), (2, 0.69), (3, 0.2), slack=0.1)).points
        assert [point.standing for point in points] == ["front", "behind", "beaten"]

    def test_equal_qualities_that_were_sampled_leave_it_open_too(self):
        points = plot(models((1, 0.7), (2, 0.7), slack=0.1)).points
        assert [point.standing for point in points] == ["front", "behind"]

    def test_where_lower_quality_is_better_the_front_turns(self):
        audits = [audit(number("cost.c", cost, "lower"), number("good.q", q, "lower")) for cost, q in ((1, 2), (2, 3))]
        assert [point.standing for point in plot(audits).points] == ["front", "beaten"]

    def test_one_that_cannot_be_compared_is_left_out_with_the_reason(self):
        audits = models((1, 0.5), (2, 0.7), (3, 0.9))
        subject = audits[1].subject.model_copy(update={"kind": "onnx"})
        audits[1] = Audited(subject, None, ENVIRONMENT, audits[1].axes)
        found = plot(audits)
        assert [point.model for point in found.points] == [0, 2]
        assert found.left_out == ((1, "the kinds differ"),)
        assert found.drawn

    def test_where_nobody_compares_with_the_first_the_others_are_still_drawn(self):
        audits = models((1, 0.5), (2, 0.7), (3, 0.9))
        subject = audits[0].subject.model_copy(update={"kind": "onnx"})
        found = plot([Audited(subject, None, ENVIRONMENT, audits[0].axes), *audits[1:]])
        assert [point.model for point in found.points] == [1, 2]
        assert found.anchor == 1

    def test_two_that_cannot_be_compared_make_no_figure_but_the_reason_is_kept(self):
        audits = models((1, 0.5), (2, 0.7))
        subject = audits[1].subject.model_copy(update={"kind": "onnx"})
        found = plot([audits[0], Audited(subject, None, ENVIRONMENT, audits[1].axes)])
        assert not found.drawn
        assert found.left_out == ((1, "the kinds differ"),)

    def test_one_that_lacks_a_number_is_named_and_one_alone_makes_no_plot(self):
        bare = audit(number("cost.c", 1, "lower"))
        assert plot([*models((1, 0.5), (2, 0.7)), bare]).unmeasured == (2,)
        assert plot([*models((1, 0.5)), bare]) is None
