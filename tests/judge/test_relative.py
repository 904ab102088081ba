"""Is it really worse? Rules that compare with a baseline, on simulated models whose true difference is known."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from efficiency360.audited import Audited
from efficiency360.judge import Against
from efficiency360.judge.comparison import compare
from efficiency360.judge.relative import apply_relative
from efficiency360.judge.verdict import decide
from efficiency360.records import AxisRecord, Caveat, DatasetRecord, Environment, Interval, Measurement, SubjectRecord
from efficiency360.samples import Sample
from efficiency360.statistics.intervals import wilson

RULE = {"id": "kept", "measurement": "accuracy.top1", "no_worse_than_baseline": True}
MEDIAN = {"stat": "p50", "batch": 1, "threads": 2, "dtype": "float32"}


def hashes(n, seed=0):
    return np.array([f"{seed:032x}{index:032x}" for index in range(n)], np.bytes_)


def dataset(n=100, name="val", fingerprint="d"):
    return DatasetRecord(name=name, kind="folder", fingerprint=fingerprint * 64, n=n, available=n)


def environment(**changed):
    fields = {
        "host": "a" * 64,
        "host_class": "c" * 64,
        "cpu": "EPYC",
        "device": "cpu",
        "threads": 2,
        "platform": "Linux x86_64",
        "versions": {},
        "seeds": {"audit": 0},
        "isolation": (),
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    return Environment.model_validate({**fields, **changed})


def audit(*axes, samples=None, images=None, data=None, place=None):
    subject = SubjectRecord(
        name="net", file=None, fingerprint="e" * 64, kind="state_dict", arch=None, num_classes=2, input=None
    )
    return Audited(subject, data or dataset(), place or environment(), axes, samples or {}, images)


def axis(*measurements, **fields):
    named = measurements[0].name.partition(".")[0]
    return AxisRecord(id=named, version=1, status="measured", measurements=measurements).model_copy(update=fields)


def classifier(right, *, order=None, **more):
    """An audit of accuracy only, of a model that is right on these images; `order` is how it went through them."""
    right = np.asarray(right, np.float64)
    n = len(right)
    order = np.arange(n) if order is None else order
    top1 = Measurement(
        name="accuracy.top1",
        value=float(right.mean()),
        unit="proportion",
        better="higher",
        n=n,
        interval=wilson(float(right.sum()), n),
    )
    sample = Sample("accuracy.top1", {}, "mean", right[order], np.arange(n))
    return audit(axis(top1), samples={"accuracy": (sample,)}, images=hashes(n)[order], data=dataset(n), **more)


def pair(rng, n, discordance, drop=0.0, accuracy=0.85):
    """Whether the old and the new model are right: they differ on a share of the images, the new one loses `drop`."""
    kind = rng.choice(3, n, p=[1 - discordance, (discordance + drop) / 2, (discordance - drop) / 2])
    both = rng.random(n) < accuracy
    return np.where(kind == 0, both, kind == 1), np.where(kind == 0, both, kind == 2)


def outcome(make, old, new, **rule):
    rules = make.spec(rules=[{**RULE, **rule}]).rules
    (result,) = apply_relative(rules, Against(classifier(new), classifier(old)))
    return result


def timed(median_ms, rng, *, place=None, drift=0.05):
    """An audit of speed only, whose stretches scatter around a median."""
    middles = median_ms * np.exp(rng.normal(0, 0.01, 20))
    ms = np.repeat(middles, 30) * np.exp(rng.normal(0, 0.02, 600))
    sample = Sample("speed.latency_ms", MEDIAN, "median of stretches", ms, np.repeat(np.arange(20), 30), None, drift)
    latency = Measurement(
        name="speed.latency_ms",
        value=sample.value,
        unit="ms",
        better="lower",
        n=len(ms),
        interval=Interval(low=0.9 * sample.value, high=1.1 * sample.value, level=0.95, method="order statistics"),
        params=MEDIAN,
    )
    return audit(axis(latency), samples={"speed": (sample,)}, place=place)


class TestOnTheSameImages:
    @pytest.mark.parametrize("discordance", [0.05, 0.12, 0.2])
    def test_equally_good_models_fail_a_margin_of_nothing_no_more_often_than_chance_allows(self, make, discordance):
        rng = np.random.default_rng(int(100 * discordance))
        failed = sum(outcome(make, *pair(rng, 2000, discordance)).outcome == "fail" for _ in range(500))
        assert failed <= 35  # the 97.9 % quantile of 500 errors at 5 %

    def test_a_drop_of_three_points_fails_a_margin_of_nothing_four_times_in_five(self, make):
        rng = np.random.default_rng(1)
        outcomes = [outcome(make, *pair(rng, 2000, 0.12, 0.03)).outcome for _ in range(200)]
        assert outcomes.count("fail") >= 0.8 * 200
        assert outcomes.count("pass") <= 1

    def test_a_drop_on_the_margin_neither_passes_nor_fails_more_often_than_chance_allows(self, make):
        rng = np.random.default_rng(2)
        outcomes = [outcome(make, *pair(rng, 2000, 0.12, 0.01), margin=0.01).outcome for _ in range(400)]
        assert max(outcomes.count("pass"), outcomes.count("fail")) <= 22  # the 99.9 % quantile of 400 at 2.5 % is 20

    def test_not_significant_is_not_a_pass(self, make):
        old, new = pair(np.random.default_rng(3), 100, 0.2)
        assert outcome(make, old, new, margin=0.01).outcome == "inconclusive"

    def test_the_same_image_is_compared_with_itself_whatever_the_order(self):
        old, new = pair(np.random.default_rng(4), 500, 0.06)
        order = np.random.default_rng(5).permutation(500)
        here, there = classifier(new), classifier(old)
        shuffled = compare(here.axes[0].measurements[0], here, classifier(old, order=order))
        assert shuffled.comparison == compare(here.axes[0].measurements[0], here, there).comparison
        assert shuffled.comparison.interval.method == "tango"

    def test_without_samples_the_two_intervals_decide_and_are_wider(self):
        old, new = pair(np.random.default_rng(6), 500, 0.06)
        here, there = classifier(new), classifier(old)
        number = here.axes[0].measurements[0]
        paired = compare(number, here, there).comparison.interval
        apart = compare(number, here, replace(there, samples={})).comparison.interval
        assert apart.method == "square-and-add"
        assert apart.high - apart.low > 1.5 * (paired.high - paired.low)

    def test_the_reason_says_that_only_two_intervals_decided(self, make):
        here, there = (classifier(one) for one in pair(np.random.default_rng(6), 500, 0.06))
        rules = make.spec("accuracy", rules=[RULE]).rules
        (paired,) = apply_relative(rules, Against(here, there))
        (apart,) = apply_relative(rules, Against(here, replace(there, samples={})))
        assert "as if on different images" in apart.reason
        assert "different images" not in paired.reason

    def test_an_undecided_rule_says_how_many_images_would_decide_it_and_so_many_do(self, make):
        rng = np.random.default_rng(7)
        result = outcome(make, *pair(rng, 500, 0.1, 0.02))
        assert result.outcome == "inconclusive"
        assert f"about {result.needed:,} images instead of 500" in result.reason
        seen = result.comparison.worse_by
        more = [outcome(make, *pair(rng, result.needed, 0.1, seen)).outcome for _ in range(100)]
        assert more.count("fail") >= 68  # the 0.3 % quantile of 100 at 80 %

    def test_fifty_thousand_images_are_compared_within_two_seconds(self):
        rng = np.random.default_rng(8)
        old, new = pair(rng, 50_000, 0.1)
        here, there = classifier(new), classifier(old, order=rng.permutation(50_000))
        began = time.perf_counter()
        compare(here.axes[0].measurements[0], here, there)
        assert time.perf_counter() - began < 20  # benchmarks/gate.py says how long; here only that it is not an hour

    def test_a_gap_between_groups_that_opened_is_found(self, make):
        rng = np.random.default_rng(10)
        groups = np.arange(3000) % 3
        fair = (rng.random(3000) < 0.9).astype(float)
        unfair = np.where((groups == 1) & (rng.random(3000) < 0.2), 0.0, fair)

        def audited(right):
            sample = Sample("fairness.accuracy_gap", {"attribute": "age"}, "group gap", right, np.arange(3000), groups)
            gap = Measurement(
                name=sample.name, value=sample.value, unit="proportion", better="lower", n=3000, params=sample.params
            )
            return audit(axis(gap), samples={"fairness": (sample,)}, images=hashes(3000))

        rule = {**RULE, "measurement": "fairness.accuracy_gap", "margin": 0.05}
        rules = make.spec("fairness", rules=[rule]).rules
        (worse,) = apply_relative(rules, Against(audited(unfair), audited(fair)))
        (better,) = apply_relative(rules, Against(audited(fair), audited(unfair)))
        assert worse.outcome == "fail"
        assert better.outcome == "pass"
        assert worse.comparison.worse_by == pytest.approx(0.18, abs=0.04)

    @pytest.mark.parametrize(
        ("name", "how"),
        [("fairness.worst_group_accuracy", "group low"), ("fairness.equalized_odds_difference", "larger group gap")],
    )
    def test_the_worst_group_and_the_odds_are_compared_image_by_image(self, make, name, how):
        rng = np.random.default_rng(11)
        groups = np.arange(4000) % 4  # two groups of two kinds
        fair = (rng.random(4000) < 0.9).astype(float)
        unfair = np.where((groups == 2) & (rng.random(4000) < 0.2), 0.0, fair)
        better = "higher" if how == "group low" else "lower"

        def audited(right):
            sample = Sample(name, {"attribute": "age"}, how, right, np.arange(4000), groups)
            value = {"value": sample.value, "n": sample.n, "params": sample.params}
            number = Measurement(name=name, unit="proportion", better=better, **value)
            return audit(axis(number), samples={"fairness": (sample,)}, images=hashes(4000))

        rules = make.spec("fairness", rules=[{**RULE, "measurement": name, "margin": 0.08}]).rules
        (worse,) = apply_relative(rules, Against(audited(unfair), audited(fair)))
        (alike,) = apply_relative(rules, Against(audited(fair), audited(unfair)))
        assert (worse.outcome, alike.outcome) == ("fail", "pass")
        assert worse.comparison.worse_by == pytest.approx(0.17, abs=0.05)
        assert "bootstrap" in worse.comparison.interval.method

    def test_other_groups_of_the_same_images_are_not_paired(self):
        rng = np.random.default_rng(12)
        right, groups = (rng.random(600) < 0.8).astype(float), np.arange(600) % 3
        interval = Interval(low=0.0, high=0.2, level=0.95, method="simultaneous")

        def audited(groups):
            params = {"attribute": "age"}
            sample = Sample("fairness.accuracy_gap", params, "group gap", right, np.arange(600), groups)
            number = Measurement(
                name=sample.name, value=sample.value, unit="proportion", better="lower", n=600, params=params,
                interval=interval,
            )  # fmt: skip
            return audit(axis(number), samples={"fairness": (sample,)}, images=hashes(600))

        here, there = audited(groups), audited(rng.permutation(groups))
        found = compare(here.axes[0].measurements[0], here, there)
        assert found.comparison.interval.method == "square-and-add"

    def test_losses_are_compared_image_by_image(self, make):
        rng = np.random.default_rng(9)
        easy = rng.exponential(1.0, 400)
        worse = easy + 0.05 + rng.normal(0, 0.1, 400)

        def audited(values):
            loss = Measurement(
                name="uncertainty.brier",
                value=float(values.mean()),
                unit="",
                better="lower",
                n=400,
                interval=Interval(low=values.mean() - 0.1, high=values.mean() + 0.1, level=0.95, method="bootstrap"),
            )
            samples = {"uncertainty": (Sample("uncertainty.brier", {}, "mean", values, np.arange(400)),)}
            return audit(axis(loss), samples=samples, images=hashes(400))

        rules = make.spec("uncertainty", rules=[{**RULE, "measurement": "uncertainty.brier"}]).rules
        (result,) = apply_relative(rules, Against(audited(worse), audited(easy)))
        assert result.outcome == "fail"
        assert result.comparison.worse_by == pytest.approx(float((worse - easy).mean()))
        (back,) = apply_relative(rules, Against(audited(easy), audited(worse)))
        assert back.outcome == "pass"
        assert back.comparison.worse_by == pytest.approx(-result.comparison.worse_by)


class TestWhatCannotBeCompared:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"dataset": dataset(100, "other", "f")}, "the data differ: val (100 images, dddddddd) here, other"),
            ({"dataset": None}, "the data differ: val (100 images, dddddddd) here, none in the baseline"),
            ({"version": 2}, "the axis accuracy is version 1 here and 2 in the baseline"),
            ({"settings": {"batch_size": 8}}, "accuracy.batch_size is not set here and 8 there"),
            ({"caveats": (Caveat(id="x", severity="critical", text="chance"),)}, "the baseline's number is in doubt"),
            (
                {"status": "failed", "measurements": (), "reason": "it died"},
                "the axis accuracy was failed there, it died",
            ),
        ],
    )
    def test_is_refused_by_name_and_never_passes(self, make, change, said):
        right = np.ones(100)
        there = classifier(right)
        if "dataset" in change:
            there = replace(there, **change)
        else:
            there = replace(there, axes=(there.axes[0].model_copy(update=change),))
        spec = make.spec(rules=[{**RULE, "margin": 0.5}], inconclusive="pass")
        here = classifier(right)
        verdict = decide(spec, here.axes, against=Against(here, there))
        assert said in verdict.rules[0].reason
        assert verdict.outcome == "inconclusive"

    @pytest.mark.parametrize(
        "change", [{"host_class": "f" * 64}, {"device": "cuda"}, {"threads": 1}, {"host_class": "", "host": "b" * 64}]
    )
    def test_latency_of_other_hardware_is_refused(self, change):
        rng = np.random.default_rng(0)
        here, there = timed(10, rng), timed(10, rng, place=environment(**change))
        assert "the hardware differs" in compare(here.axes[0].measurements[0], here, there)

    def test_another_machine_of_the_same_class_is_not_other_hardware(self):
        rng = np.random.default_rng(0)
        here, there = timed(10, rng), timed(10, rng, place=environment(host="b" * 64))
        assert not isinstance(compare(here.axes[0].measurements[0], here, there), str)

    def test_cost_does_not_depend_on_the_data_or_the_machine(self, make):
        macs = make.number("cost.macs", 110.0, better="lower").model_copy(update={"unit": "MACs"})
        fewer = macs.model_copy(update={"value": 100.0})
        here = audit(axis(macs))
        there = audit(axis(fewer), data=dataset(7, "other", "f"), place=environment(threads=64, host_class="f" * 64))
        found = compare(macs, here, there)
        assert found.comparison.worse_by == pytest.approx(0.1)
        assert found.comparison.relative
        assert found.p_worse is None
        for margin, expected in ((0.1001, "pass"), (0.0999, "fail")):
            rules = make.spec("cost", rules=[{**RULE, "measurement": "cost.macs", "margin": margin}]).rules
            assert apply_relative(rules, Against(here, there))[0].outcome == expected


class TestLatency:
    def test_the_same_speed_does_not_fail_and_does_not_pass_a_margin_below_the_drift(self, make):
        rng = np.random.default_rng(1)
        rule = {**RULE, "measurement": "speed.latency_ms", "margin": 0.05}
        rules = make.spec("speed", rules=[rule]).rules
        outcomes = [apply_relative(rules, Against(timed(10, rng), timed(10, rng)))[0].outcome for _ in range(20)]
        assert "fail" not in outcomes
        assert "pass" not in outcomes

    def test_half_as_fast_again_fails_and_half_the_time_passes(self, make):
        rng = np.random.default_rng(2)
        rules = make.spec("speed", rules=[{**RULE, "measurement": "speed.latency_ms", "margin": 0.1}]).rules
        slow, fast = timed(15, rng), timed(10, rng)
        assert apply_relative(rules, Against(slow, fast))[0].outcome == "fail"
        assert apply_relative(rules, Against(fast, slow))[0].outcome == "pass"
        comparison = apply_relative(rules, Against(slow, fast))[0].comparison
        assert comparison.worse_by == pytest.approx(0.5, abs=0.05)
        assert comparison.interval.low < 0.5 < comparison.interval.high

    def test_a_rate_is_worse_where_it_is_lower(self, make):
        def rate(value):
            number = Measurement(
                name="speed.throughput",
                value=value,
                unit="images/s",
                better="higher",
                n=99,
                interval=Interval(low=0.98 * value, high=1.02 * value, level=0.95, method="batch means"),
            )
            return audit(axis(number))

        rules = make.spec("speed", rules=[{**RULE, "measurement": "speed.throughput", "margin": 0.1}]).rules
        (result,) = apply_relative(rules, Against(rate(70), rate(100)))
        assert result.outcome == "fail"
        assert result.comparison.worse_by == pytest.approx(0.3)
        assert apply_relative(rules, Against(rate(100), rate(70)))[0].outcome == "pass"


class TestSeveralRules:
    def test_what_looks_bad_by_chance_among_many_does_not_fail(self, make):
        """One loses 11 images and wins 2 of 500: p is 0.006, proof alone but not as the worst of twenty."""
        old = np.ones(500)
        new = np.ones(500)
        new[:11], old[11:13] = 0, 0
        names = [f"accuracy.a{index}" for index in range(20)]

        def audited(first, rest):
            numbers, samples = [], []
            for index, name in enumerate(names):
                right = first if index == 0 else rest
                numbers.append(
                    Measurement(
                        name=name,
                        value=right.mean(),
                        unit="proportion",
                        better="higher",
                        n=500,
                        interval=wilson(right.sum(), 500),
                    )
                )
                samples.append(Sample(name, {}, "mean", right, np.arange(500)))
            return audit(axis(*numbers), samples={"accuracy": tuple(samples)}, images=hashes(500))

        here, there = audited(new, np.ones(500)), audited(old, np.ones(500))
        rules = make.spec(rules=[{**RULE, "id": name, "measurement": name} for name in names]).rules
        alone = apply_relative(rules[:1], Against(here, there))
        assert alone[0].outcome == "fail"
        together = apply_relative(rules, Against(here, there))
        assert together[0].outcome == "inconclusive"
        assert "as one of 20 comparisons it may be chance (Holm), so it is undecided" in together[0].reason

    def test_what_may_be_chance_among_many_is_not_forgiven_with_wide_intervals(self, make):
        old, new = np.ones(500), np.ones(500)
        new[:11], old[11:13] = 0, 0
        many = [{**RULE, "id": f"r{index}"} for index in range(20)]
        here, there = classifier(new), classifier(old)
        verdict = decide(make.spec(rules=many, inconclusive="pass"), here.axes, against=Against(here, there))
        assert {result.outcome for result in verdict.rules} == {"inconclusive"}
        assert verdict.outcome == "inconclusive"

    def test_a_clear_loss_of_a_score_stays_proven_among_a_hundred(self, make):
        """Resampling cannot show a p-value as small as a hundred comparisons ask for."""
        rng = np.random.default_rng(11)
        easy = rng.exponential(0.1, 400)
        names = [f"uncertainty.b{index}" for index in range(100)]

        def audited(values):
            numbers, samples = [], []
            for name in names:
                mine = values if name == names[0] else easy
                numbers.append(Measurement(name=name, value=float(mine.mean()), unit="", better="lower", n=400))
                samples.append(Sample(name, {}, "mean", mine, np.arange(400)))
            return audit(axis(*numbers), samples={"uncertainty": tuple(samples)}, images=hashes(400))

        rules = make.spec("uncertainty", rules=[{**RULE, "id": name, "measurement": name} for name in names]).rules
        results = apply_relative(rules, Against(audited(easy + rng.normal(0.5, 0.1, 400)), audited(easy)))
        assert results[0].outcome == "fail"

    def test_what_is_proven_stays_proven_among_many(self, make):
        old, new = np.ones(500), np.ones(500)
        new[:60] = 0
        rules = make.spec(rules=[{**RULE, "id": f"r{index}"} for index in range(20)]).rules
        results = apply_relative(rules, Against(classifier(new), classifier(old)))
        assert {result.outcome for result in results} == {"fail"}

    def test_results_keep_the_order_of_the_rules(self, make):
        limit = {"id": "limit", "measurement": "accuracy.top1", "at_least": 0.5}
        spec = make.spec(rules=[{**RULE, "id": "one"}, limit, {**RULE, "id": "two"}])
        here = classifier(np.ones(50))
        assert [result.rule for result in decide(spec, here.axes, against=Against(here, here)).rules] == [
            "one",
            "limit",
            "two",
        ]


class TestWithoutABaseline:
    def test_a_blocking_rule_is_inconclusive_and_the_gate_stays_shut(self, make):
        here = classifier(np.ones(50))
        verdict = decide(make.spec(rules=[RULE]), here.axes)
        assert verdict.outcome == "inconclusive"
        assert "not compared: no baseline was given (--baseline DIR" in verdict.reasons[0]
        assert verdict.baseline is None

    def test_a_first_release_or_the_audit_file_lets_it_pass_and_says_so(self, make):
        here = classifier(np.ones(50))
        limit = {"id": "limit", "measurement": "accuracy.top1", "at_least": 0.5}
        first = decide(make.spec(rules=[RULE, limit]), here.axes, against=Against(here, first=True))
        allowed = decide(make.spec(rules=[RULE, limit], without_baseline="pass"), here.axes)
        for verdict in (first, allowed):
            assert verdict.outcome == "pass"
            assert verdict.rules[0].outcome == "inconclusive"
            assert verdict.reasons[0].startswith("1 of 2 blocking checks passed; 1 not compared: ")

    @pytest.mark.parametrize("lenient", [{"without_baseline": "pass"}, {}])
    def test_letting_it_pass_forgives_neither_absence_nor_doubt(self, make, lenient):
        sure = {"id": "limit", "measurement": "accuracy.top1", "at_least": 0.5}
        absent = make.spec(rules=[{**RULE, "measurement": "accuracy.topp1"}, sure], **lenient)
        here = classifier(np.ones(50))
        first = Against(here, first=not lenient)
        assert decide(absent, here.axes, against=first).outcome == "inconclusive"
        doubtful = here.axes[0].model_copy(update={"caveats": (Caveat(id="x", severity="critical", text="chance"),)})
        spec = make.spec(rules=[RULE], **lenient)
        assert decide(spec, (doubtful,), against=replace(first, here=replace(here, axes=(doubtful,)))).outcome != "pass"

    def test_forgiving_wide_intervals_does_not_forgive_a_missing_baseline(self, make):
        here = classifier(np.ones(50))
        assert decide(make.spec(rules=[RULE], inconclusive="pass"), here.axes).outcome == "inconclusive"


class TestFolding:
    def test_a_rule_on_many_measurements_gives_one_sentence(self, make):
        numbers = [make.number("accuracy.per_class", 0.1, params={"class": index}) for index in range(10)]
        spec = make.spec(rules=[{"id": "classes", "measurement": "accuracy.per_class", "at_least": 0.5}])
        verdict = decide(spec, [make.axis(*numbers)])
        assert len(verdict.rules) == 10
        assert len(verdict.reasons) == 1
        assert verdict.reasons[0].startswith("rule classes: 10 of 10 fail, such as: accuracy.per_class{class=0} is 0.1")


class TestLimitsThatMeanNothing:
    @pytest.mark.parametrize("margin", [1, 2, 1e9])
    def test_a_margin_of_all_images_cannot_be_kept(self, make, margin):
        right = np.ones(50)
        result = outcome(make, right, right, margin=margin)
        assert result.outcome == "inconclusive"
        assert "is a proportion, 0.02 is two points" in result.reason

    def test_a_limit_in_percent_is_taken_for_what_it_is(self, make):
        spec = make.spec(rules=[{"id": "r", "measurement": "accuracy.top1", "at_most": 75}])
        verdict = decide(spec, classifier(np.ones(50)).axes)
        assert verdict.outcome == "inconclusive"
        assert "0.75 is 75 %" in verdict.reasons[0]

    def test_a_number_that_its_samples_contradict_is_not_compared(self, make):
        here = classifier(np.ones(50))
        edited = here.axes[0].measurements[0].model_copy(update={"value": 0.5})
        here = replace(here, axes=(here.axes[0].model_copy(update={"measurements": (edited,)}),))
        rules = make.spec(rules=[{**RULE, "margin": 0.9}]).rules
        (result,) = apply_relative(rules, Against(here, classifier(np.ones(50))))
        assert result.outcome == "inconclusive"
        assert "is 0.5 in the scorecard, its samples make it 1" in result.reason
