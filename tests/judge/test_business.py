"""Yearly cost, saving and pay-back against sums done by hand; nothing is made up where nothing was measured."""

from __future__ import annotations

from typing import Any

import pytest

from efficiency360.audited import Audited
from efficiency360.business import Assumptions, Business
from efficiency360.judge.business import business, safely
from efficiency360.judge.relative import Against
from efficiency360.records import AxisRecord, Caveat, Environment, Interval, Measurement, SubjectRecord

GIVEN: dict[str, Any] = {
    "currency": "EUR",
    "images_per_day": 1_000_000,
    "utilisation": 0.5,
    "price_per_machine_hour": 2.0,
    "price_per_kwh": 0.3,
}


def assumed(**changed: Any) -> Assumptions:
    return Assumptions.model_validate({key: value for key, value in {**GIVEN, **changed}.items() if value is not None})


def measured(name: str, ends: tuple[float, float, float], **params: Any) -> Measurement:
    """A number and the ends of its interval, as the axis speed writes them down."""
    value, low, high = ends
    unit, better = {"throughput": ("images/s", "higher"), "energy_j": ("J", "lower"), "latency_ms": ("ms", "lower")}[
        name
    ]
    return Measurement.model_validate(
        {
            "name": f"speed.{name}",
            "value": value,
            "unit": unit,
            "better": better,
            "n": 400,
            "interval": Interval(low=low, high=high, level=0.95, method="cluster bootstrap"),
            "params": {"batch": 1, "threads": 2, "dtype": "float32", **params},
        }
    )


def rate(*ends: float, **params: Any) -> Measurement:
    value, low, high = ends
    return measured("throughput", (value, low, high), **params)


def joules(*ends: float) -> Measurement:
    value, low, high = ends
    return measured("energy_j", (value, low, high), sensor="NVML")


def speed(*measurements: Measurement, **changed: Any) -> AxisRecord:
    fields = {"id": "speed", "version": 1, "status": "measured", "measurements": measurements}
    return AxisRecord.model_validate({**fields, **changed})


def audit(*axes: AxisRecord, host: str = "0f") -> Audited:
    subject = SubjectRecord(
        name="net", file=None, fingerprint=None, kind="module", arch=None, num_classes=2, input=(3, 8, 8)
    )
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
        started_at="2026-01-01T00:00:00+00:00",
    )
    return Audited(subject, None, environment, axes)


def compared(new: AxisRecord, old: AxisRecord, host: str = "0f", **changed: Any) -> Business:
    against = Against(audit(new), audit(old, host=host))
    return business(assumed(**changed), (new,), against)


FAST = speed(rate(100, 80, 125), joules(2, 1.8, 2.2))


class TestYearlyCost:
    def test_machine_hours_and_their_price_are_those_of_a_sum_by_hand(self) -> None:
        # 365 million images at 0.01 s are 3.65 million s; half of the time idle: 7.3 million s = 2,027.8 h
        found = business(assumed(), (FAST,), None).yearly
        assert found.machine_hours is not None
        assert found.machine_hours.value == pytest.approx(2027.7778, abs=1e-3)
        assert (found.machine_hours.low, found.machine_hours.high) == pytest.approx((1622.2222, 2534.7222), abs=1e-3)
        assert found.machines is not None
        assert found.machines.value == pytest.approx(4055.5556, abs=1e-3)
        assert found.machines.level == 0.95

    def test_energy_is_in_kilowatt_hours_and_does_not_depend_on_idle_time(self) -> None:
        # 365 million images at 2 J are 730 MJ = 202.78 kWh, at 0.30: 60.83
        for share in (0.5, 1.0):
            found = business(assumed(utilisation=share), (FAST,), None).yearly
            assert found.energy_kwh is not None
            assert found.energy_kwh.value == pytest.approx(202.7778, abs=1e-3)
            assert found.energy is not None
            assert (found.energy.low, found.energy.high) == pytest.approx((54.75, 66.9167), abs=1e-3)

    def test_the_total_takes_all_bad_ends_together_at_the_confidence_that_leaves(self) -> None:
        found = business(assumed(), (FAST,), None).yearly.total
        assert found is not None
        assert found.value == pytest.approx(4055.5556 + 60.8333, abs=1e-3)
        assert (found.low, found.high) == pytest.approx((3244.4444 + 54.75, 5069.4444 + 66.9167), abs=1e-3)
        assert found.level == pytest.approx(0.9)

    def test_days_and_batches_count(self) -> None:
        axis = speed(rate(100, 80, 125), rate(400, 350, 450, batch=8))
        found = business(assumed(batch=8, days_per_year=100), (axis,), None)
        assert found.timed.startswith("speed.throughput{batch=8")
        assert found.yearly.machine_hours is not None
        assert found.yearly.machine_hours.value == pytest.approx(1e8 / 400 / 3600 / 0.5)

    def test_without_a_rate_the_median_latency_stands_in(self) -> None:
        latency = measured("latency_ms", (10, 9, 12), stat="p50")
        tail = measured("latency_ms", (90, 80, 95), stat="p99")
        found = business(assumed(), (speed(tail, latency),), None)
        assert found.timed.startswith("speed.latency_ms")
        assert found.yearly.machine_hours is not None
        assert found.yearly.machine_hours.value == pytest.approx(2027.7778, abs=1e-3)
        assert found.yearly.machine_hours.high == pytest.approx(2027.7778 * 1.2, abs=1e-3)


class TestMachinesThatStandThere:
    def test_they_cost_the_same_whatever_the_model_does(self) -> None:
        # 3 machines, 8 hours a day on 250 days, at 2.00 an hour: 12,000
        found = business(assumed(devices=3, hours_per_day=8, days_per_year=250), (FAST,), None).yearly
        assert found.machines is not None
        assert (found.machines.low, found.machines.value, found.machines.high, found.machines.level) == (
            12_000,
            12_000,
            12_000,
            None,
        )

    def test_how_many_the_load_takes_is_in_whole_machines(self) -> None:
        # 250 million images at 0.01 s, half idle: 1,388.9 h (1,111.1 to 1,736.1) of 2,000 h a machine has
        found = business(assumed(devices=3, hours_per_day=8, days_per_year=250), (FAST,), None).yearly.devices_needed
        assert found is not None
        assert (found.low, found.value, found.high) == (1, 1, 1)
        many = business(assumed(devices=3, hours_per_day=1, days_per_year=250), (FAST,), None).yearly.devices_needed
        assert many is not None
        assert (many.low, many.value, many.high) == (5, 6, 7)

    def test_only_energy_can_be_saved_on_them(self) -> None:
        old = speed(rate(50, 40, 60), joules(4, 3.9, 4.1))
        found = compared(FAST, old, devices=3)
        assert found.saving is not None
        assert found.saved == ("machines", "energy")
        assert found.saving.value == pytest.approx(60.8333, abs=1e-3)


class TestWhatIsMissing:
    def test_energy_without_a_sensor_is_left_out_for_the_reason_that_the_audit_gives(self) -> None:
        caveat = Caveat(
            id="speed.energy_missing", severity="info", text="Energy is not measurable here: there is no counter."
        )
        found = business(assumed(), (speed(rate(100, 80, 125), caveats=(caveat,)),), None)
        assert found.yearly.energy_kwh is None
        assert found.yearly.energy is None
        assert [(gap.what, gap.why) for gap in found.missing] == [("energy", "there is no counter")]
        assert found.yearly.total == found.yearly.machines

    def test_without_the_axis_nothing_is_known_and_nothing_is_zero(self) -> None:
        failed = speed(status="failed", reason="it broke")
        for axes, why in (((), "the audit has no axis speed"), ((failed,), "the axis speed was failed: it broke")):
            found = business(assumed(), axes, None)
            assert not any(found.yearly.model_dump().values())
            assert {gap.why for gap in found.missing} == {why}
            assert {gap.what for gap in found.missing} == {"machines", "energy"}

    def test_another_batch_than_the_one_asked_for_does_not_stand_in(self) -> None:
        found = business(assumed(batch=32), (FAST,), None)
        assert found.yearly.total is None
        assert "batch 32" in found.missing[0].why

    def test_a_number_that_is_no_rate_is_not_computed_with(self) -> None:
        for axis in (speed(rate(0, 0, 1)), speed(rate(1, 0, 2)), speed(rate(1e-320, 1e-320, 1e-320))):
            found = safely(assumed(), (axis,), None)
            assert found.yearly.machine_hours is None
            assert found.missing

    def test_what_has_no_price_is_said(self) -> None:
        found = business(assumed(price_per_machine_hour=None), (FAST,), None)
        assert found.yearly.machines is None
        assert found.yearly.total == found.yearly.energy
        assert "price_per_machine_hour" in found.missing[0].why

    def test_timings_in_doubt_say_so(self) -> None:
        doubt = Caveat(id="speed.busy", severity="critical", text="The machine was busy.")
        assert business(assumed(), (speed(rate(1, 1, 1), caveats=(doubt,)),), None).doubts == ("The machine was busy.",)


class TestSaving:
    OLD = speed(rate(50, 49, 51), joules(4, 3.9, 4.1))
    NEW = speed(rate(100, 98, 102), joules(2, 1.9, 2.1))

    def test_it_is_the_difference_of_the_two_costs(self) -> None:
        # twice as fast and half the energy: half of 8,111.11 + 121.67
        found = compared(self.NEW, self.OLD)
        assert found.saving is not None
        assert found.saving.value == pytest.approx(4055.5556 + 60.8333, abs=1e-2)
        assert found.saved == ("machines", "energy")
        assert not found.uncompared

    def test_its_range_holds_the_true_saving_at_every_combination_of_ends_that_the_comparison_allows(self) -> None:
        found = compared(self.NEW, self.OLD, price_per_kwh=None).saving
        assert found is not None
        # by hand: ln(ratio of the rates) is ln 2 -+ hypot(ln(100/98), ln(51/50)) = 0.6931 -+ 0.0283
        share_low, share_high = 1 - 1 / 1.94421, 1 - 1 / 2.05740
        costs = 2 * 3.65e8 / 3600 / 0.5 / 51, 2 * 3.65e8 / 3600 / 0.5 / 49
        assert found.low == pytest.approx(costs[0] * share_low, rel=1e-4)
        assert found.high == pytest.approx(costs[1] * share_high, rel=1e-4)
        assert found.level == pytest.approx(0.9)

    def test_of_a_model_that_is_slower_it_is_negative(self) -> None:
        found = compared(self.OLD, self.NEW).saving
        assert found is not None
        assert found.value == pytest.approx(-(4055.5556 + 60.8333), abs=1e-2)
        assert found.high < 0

    def test_of_another_machine_nothing_is_compared_and_the_reason_is_told(self) -> None:
        found = compared(self.NEW, self.OLD, host="ab")
        assert found.compared
        assert found.saving is None
        assert found.baseline is None
        assert [gap.what for gap in found.uncompared] == ["machines", "energy"]
        assert all("the hardware differs" in gap.why for gap in found.uncompared)

    def test_energy_that_only_one_of_them_has_is_left_out_of_the_saving(self) -> None:
        found = compared(self.NEW, speed(rate(50, 49, 51)))
        assert found.saved == ("machines",)
        assert [gap.what for gap in found.uncompared] == ["energy"]
        assert found.saving is not None
        assert found.saving.value == pytest.approx(4055.5556, abs=1e-2)

    def test_without_a_baseline_there_is_none(self) -> None:
        found = business(assumed(), (self.NEW,), Against(audit(self.NEW)))
        assert not found.compared
        assert found.saving is None


class TestPayback:
    def test_it_is_the_cost_over_the_saving_the_high_end_of_which_comes_soonest(self) -> None:
        found = compared(TestSaving.NEW, TestSaving.OLD, migration_cost=10_000, price_per_kwh=None)
        assert found.saving is not None
        assert found.payback is not None
        assert found.payback.value == pytest.approx(10_000 / 4055.5556, rel=1e-4)
        assert found.payback.low == pytest.approx(10_000 / found.saving.high)
        assert found.payback.high == pytest.approx(10_000 / found.saving.low)

    def test_where_the_range_reaches_below_zero_it_may_never_come(self) -> None:
        found = compared(speed(rate(52, 45, 60)), speed(rate(50, 45, 55)), migration_cost=10_000)
        assert found.payback is not None
        assert found.payback.high is None
        assert found.payback.low is not None

    def test_of_a_loss_it_never_comes_even_if_it_costs_nothing(self) -> None:
        for cost in (10_000.0, 0.0):
            found = compared(TestSaving.OLD, TestSaving.NEW, migration_cost=cost).payback
            assert found is not None
            assert (found.low, found.value, found.high) == (None, None, None)

    def test_without_a_stated_cost_or_a_saving_there_is_none(self) -> None:
        assert compared(TestSaving.NEW, TestSaving.OLD).payback is None
        assert compared(TestSaving.NEW, TestSaving.OLD, host="ab", migration_cost=1.0).payback is None
