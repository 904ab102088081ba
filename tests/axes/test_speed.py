"""The speed axis on made-up timings: every number against a closed form, every doubt against a planted cause."""

from __future__ import annotations

import numpy as np
import pytest

from efficiency360.axes import make_axis
from efficiency360.axes.speed import Speed
from efficiency360.errors import AxisError, InputError

MACS, PARAMS, ACTIVATIONS, ELEMENTS = 2_000_000, 1_000, 5_000, 192


def evidence(runs=None, *, marks=None, **changes):
    """Evidence of stretches given as (batch, variant, ms of runs); the auditor's clock agrees to the microsecond."""
    runs = runs or [(1, "", np.full(60, 4.0))] * 10
    took = np.array([np.sum(ms) / 1e3 for *_, ms in runs])
    starts = np.cumsum(np.concatenate([[0.0], took + 0.5]))[:-1]
    clock = np.stack([starts, starts + took], axis=1).reshape(-1)
    busy = {name: np.zeros(len(clock)) for name in ("busy_s", "worker_s", "steal_s", "waited_s")}
    found = {
        "ms": np.concatenate([ms for *_, ms in runs]),
        "of": np.repeat(np.arange(len(runs)), [len(ms) for *_, ms in runs]),
        "stretch_batch": np.array([batch for batch, *_ in runs]),
        "stretch_variant": np.array([variant for _, variant, _ in runs]),
        "mark.left_s": clock,
        "mark.arrived_s": clock,
        **{f"mark.{name}": values for name, values in {**busy, **(marks or {})}.items()},
        "mark.energy_missing": np.array(["no counter"]),
        "threads": np.array([2]),
        "dtype": np.array(["float32"]),
        "device": np.array(["cpu"]),
        "processors": np.array([2]),
        "settled": np.array([True]),
        "input_elements": np.array([ELEMENTS]),
        "peak_batch": np.array([1, 8]),
        "peak_process": np.array([500_000_000, 600_000_000]),
        "roof": np.array([1e9, 1e10]),
        "start_s": np.array([3.0, 2.0, 4.0, 2.5, 3.5, 2.2]),
        "cost.macs": np.array([MACS]),
        "cost.params": np.array([PARAMS]),
        "cost.activations": np.array([ACTIVATIONS]),
        "cost.coverage": np.array([1.0]),
    }
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


def measure(*args, **kwargs):
    return Speed(allowance=0).measure(evidence(*args, **kwargs), None)


def one(findings, name, **params):
    (found,) = [m for m in findings.measurements if m.name == f"speed.{name}" and params.items() <= m.params.items()]
    return found


def caveats(findings):
    return {caveat.id.removeprefix("speed."): caveat.text for caveat in findings.caveats}


def stretches(rng=None, scale=0.0, count=10, n=60, ms=4.0):
    rng = rng or np.random.default_rng(0)
    return [(1, "", ms + scale * rng.random(n)) for _ in range(count)]


def test_quantiles_are_order_statistics_with_their_intervals_and_conditions():
    runs = stretches(scale=1.0, n=100)
    ms = np.concatenate([ms for *_, ms in runs])
    findings = measure(runs)
    for stat, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        found = one(findings, "latency_ms", stat=stat)
        assert found.value == np.quantile(ms, q, method="inverted_cdf")
        assert found.interval.low <= found.value <= found.interval.high
        assert found.params == {"stat": stat, "batch": 1, "threads": 2, "dtype": "float32"}
        assert found.n == 1000


def test_intervals_of_times_and_rates_allow_for_drift_between_audits():
    exact, wider = (Speed(allowance=share).measure(evidence(stretches(scale=1.0)), None) for share in (0.0, 0.1))
    for name, params in (("latency_ms", {"stat": "p50"}), ("throughput", {"batch": 1})):
        before, after = one(exact, name, **params).interval, one(wider, name, **params).interval
        assert (after.low, after.high) == (pytest.approx(0.9 * before.low), pytest.approx(1.1 * before.high))
        assert one(exact, name, **params).value == one(wider, name, **params).value
    assert "allow 10% for drift" in caveats(wider)["conditions"]


def test_throughput_is_images_over_time_at_each_batch():
    rng = np.random.default_rng(1)
    runs = [*stretches(), (8, "", 20 + rng.random(40))]
    findings = measure(runs)
    assert one(findings, "throughput", batch=1).value == pytest.approx(250)
    eight = one(findings, "throughput", batch=8)
    assert eight.value == pytest.approx(8000 / runs[-1][2].mean())
    assert eight.interval.low < eight.value < eight.interval.high
    sweep = next(series for series in findings.series if series.name == "speed.batch_sweep")
    assert sweep.columns["peak_memory_mb"] == [500, 600]


def test_the_roof_is_the_slower_of_arithmetic_and_traffic():
    findings = measure()
    assert one(findings, "roofline_fraction", batch=1).value == pytest.approx((MACS / 1e9) / 4e-3)
    slow_copy = measure(roof=np.array([1e12, 2e7]))
    moved = 4 * (PARAMS + 2 * ACTIVATIONS + ELEMENTS)
    assert one(slow_copy, "roofline_fraction", batch=1).value == pytest.approx((moved / 2e7) / 4e-3)


def test_a_fraction_that_cannot_be_is_left_out_and_named():
    findings = measure(roof=np.array([1e12, 1e3]))
    assert not [m for m in findings.measurements if m.name == "speed.roofline_fraction"]
    assert "roof_too_low" in caveats(findings)
    assert "roof_too_low" not in caveats(measure())


@pytest.mark.parametrize("change", [{"cost.macs": None}, {"cost.coverage": np.array([0.5])}, {"roof": None}])
def test_without_the_whole_compute_there_is_no_fraction_of_the_roof(change):
    findings = measure(**change)
    assert not [m for m in findings.measurements if m.name == "speed.roofline_fraction"]
    assert "roof_missing" in caveats(findings)


def test_work_that_the_machine_cannot_do_in_that_time_is_a_critical_caveat():
    def accused(**changes):
        found = measure(**{"fastest_macs_per_s": np.array([1e9 * MACS / 6.1e6]), **changes})
        return {caveat.id: caveat.severity for caveat in found.caveats}.get("speed.faster_than_possible")

    assert accused() == "critical"
    assert accused(fastest_macs_per_s=np.array([1e9 * MACS / 5.9e6])) is None
    assert accused(**{"cost.macs": np.array([2]), "cost.pair_macs": np.array([2 * MACS])}) == "critical"
    assert accused(**{"cost.macs": None}) is None
    assert accused(**{"cost.coverage": np.array([0.5])}) is None
    assert accused(fastest_macs_per_s=None) is None


def test_answers_that_come_late_to_unseen_images_only_are_a_critical_caveat():
    def accused(unseen, seen):
        found = measure(unseen_ms=np.array([unseen] * 9), seen_ms=np.array([seen] * 9))
        return {caveat.id: caveat.severity for caveat in found.caveats}.get("speed.remembers")

    assert accused(1.0, 0.1) == "critical"
    assert accused(1.0, 0.9) is None
    assert accused(0.04, 0.003) is None


def test_other_answers_while_timed_are_a_critical_caveat():
    assert "timed_differently" in caveats(measure(timed_differently=np.array([True])))
    assert "timed_differently" not in caveats(measure(timed_differently=np.array([False])))


def test_cold_start_is_the_median_of_the_starts_by_the_auditors_clock():
    found = one(measure(), "cold_start_ms")
    assert (found.value, found.interval.low, found.interval.high, found.n) == (2500, 2000, 4000, 6)
    assert "cold_start_missing" in caveats(measure(start_s=np.array([])))


def test_memory_is_told_for_every_batch():
    assert one(measure(), "peak_memory_bytes", batch=8, scope="process").value == 600_000_000
    device = measure(peak_device=np.array([10, 20]))
    assert one(device, "peak_memory_bytes", batch=8, scope="device").value == 20


def test_energy_is_joules_an_image_where_a_sensor_is_and_said_to_be_missing_where_none_is():
    assert caveats(measure())["energy_missing"] == "Energy is not measurable here: no counter."
    joules = np.cumsum(np.tile([100.0, 6.0], 10))  # 6 J in each stretch of 60 runs, 100 J between them
    found = one(measure(marks={"package_j": joules}), "energy_j")
    assert found.value == pytest.approx(0.1)
    assert found.params["sensor"] == "RAPL"


class TestDoubts:
    def test_a_quiet_steady_machine_raises_none(self):
        assert set(caveats(measure(stretches(scale=0.1)))) == {"conditions", "energy_missing"}

    def test_other_processes_steal_time_and_waiting_are_told(self):
        second = np.tile([0.0, 1.0], 10).cumsum()
        busy = caveats(measure(marks={"busy_s": 0.48 * second, "worker_s": 0.24 * second}))
        assert "other processes used 50% of the processors" in busy["interference"]
        assert "steal time" in caveats(measure(marks={"steal_s": 0.05 * second}))["interference"]
        assert "waited 50% of the time" in caveats(measure(marks={"waited_s": 0.12 * second}))["interference"]

    def test_a_changing_frequency_is_told(self):
        assert "between 1000 and 2000 MHz" in caveats(measure(marks={"mhz": np.linspace(1000, 2000, 20)}))["frequency"]

    def test_a_model_that_gets_slower_with_each_call_is_named(self):
        found = caveats(measure([(1, "", np.linspace(4 + i, 5 + i, 60)) for i in range(10)]))
        assert "slowing" in found
        assert "unsteady" not in found

    def test_a_long_tail_is_named_with_its_share(self):
        runs = stretches(n=100)
        for _, _, ms in runs:
            ms[50] = 50.0
        assert caveats(measure(runs))["long_tail"].startswith(
            "1.0% of the runs took more than twice the median of 4 ms"
        )

    def test_an_unsteady_machine_widens_the_interval_and_is_named(self):
        steady, unsteady = stretches(), [(1, "", np.full(60, 4.0 + (i % 3))) for i in range(10)]
        found = measure(unsteady)
        assert "unsteady" in caveats(found)
        assert one(found, "latency_ms", stat="p50").interval.high == 6
        assert one(measure(steady), "latency_ms", stat="p50").interval.high == 4

    def test_too_few_runs_leave_out_a_percentile_rather_than_guess(self):
        findings = measure(stretches(n=2))
        assert [m.params["stat"] for m in findings.measurements if m.name == "speed.latency_ms"] == ["p50"]
        assert "p95 and p99" in caveats(findings)["unresolved"]

    def test_the_rest(self):
        found = caveats(
            measure(settled=np.array([False]), threads=np.array([9]), stopped=np.array(["batch 64 is big"]))
        )
        assert {"not_settled", "too_many_threads", "sweep_stopped"} <= set(found)
        assert "keeps_memory" not in found
        assert "MALLOC_TRIM_THRESHOLD_" in caveats(measure(keeps_memory=np.array([True])))["keeps_memory"]


class TestVariants:
    def runs(self, factor):
        rng = np.random.default_rng(3)
        level = 4 + rng.random(10)  # the machine drifts, for both alike
        return [
            (1, variant, times * level[i] * (1 + 0.01 * rng.random(60)))
            for i in range(10)
            for variant, times in (("", 1.0), ("bf16", factor))
        ]

    def test_the_ratio_is_of_neighbours_in_time_so_that_drift_cancels(self):
        logits = np.eye(3)
        findings = measure(self.runs(0.5), logits=logits, logits_bf16=logits[[0, 1, 0]])
        ratio = one(findings, "variant_ratio", variant="bf16")
        assert ratio.value == pytest.approx(0.5, rel=0.01)
        assert ratio.interval.high - ratio.interval.low < 0.01
        agreement = one(findings, "variant_agreement")
        assert (agreement.value, agreement.n) == (pytest.approx(2 / 3), 3)
        assert one(findings, "variant_change").value == 1

    def test_variants_never_mix_with_the_model_as_it_is(self):
        logits = np.eye(3)
        findings = measure(self.runs(100), logits=logits, logits_bf16=logits)
        assert one(findings, "latency_ms", stat="p50").value < 6
        assert one(findings, "throughput", batch=1).value > 150

    def test_one_that_fails_is_told_with_its_reason(self):
        found = caveats(measure(problem_variant=np.array(["compile"]), problem=np.array(["no compiler"])))
        assert found["variant_failed"] == "The variant compile does not run here: no compiler"


class TestEvidenceThatCannotBeTrusted:
    def test_a_clock_that_runs_slow_is_found_by_the_auditors(self):
        honest = evidence()
        with pytest.raises(AxisError, match="its clock cannot be trusted"):
            Speed().measure({**honest, "ms": honest["ms"] / 2}, None)

    def test_a_clock_that_runs_fast_is_found_too(self):
        honest = evidence()
        with pytest.raises(AxisError, match="its clock cannot be trusted"):
            Speed().measure({**honest, "ms": honest["ms"] * 1.2}, None)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
    def test_what_is_no_duration_is_refused(self, bad):
        honest = evidence()
        with pytest.raises(AxisError, match="not durations"):
            Speed().measure({**honest, "ms": np.where(np.arange(600) == 5, bad, honest["ms"])}, None)

    def test_runs_of_stretches_that_nobody_marked_are_refused(self):
        honest = evidence()
        with pytest.raises(AxisError, match="do not belong"):
            Speed().measure({**honest, "of": honest["of"] + 1}, None)
        with pytest.raises(AxisError, match="do not belong"):
            Speed().measure({**honest, "mark.left_s": honest["mark.left_s"][:-2]}, None)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"seconds": 0}, "greater than 0"),
        ({"batches": [0]}, "greater than or equal to 1"),
        ({"batches": "many"}, "valid tuple"),
        ({"dtype": "int4"}, "float32"),
        ({"variants": ["faster"]}, "channels_last"),
        ({"cold_starts": 3}, "give 0, or at least 6"),
        ({"thread": 1}, "did you mean 'threads'"),
    ],
)
def test_impossible_settings_are_named(settings, complaint):
    with pytest.raises(InputError, match=complaint):
        make_axis("speed", settings)
