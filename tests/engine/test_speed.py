"""The speed axis on real forward passes of planted models, in this process and in a worker."""

from __future__ import annotations

import gc
import re
import time

import numpy as np
import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.numerics import memory
from efficiency360.numerics.timing import Forward, settle

QUICK = {"seconds": 0.3, "batches": [2], "cold_starts": 0}


class Sleeper(nn.Module):
    """Answers after 5 ms, and every hundredth time after 50 ms."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        time.sleep(0.050 if self.calls % 100 == 0 else 0.005)
        return x.flatten(1)[:, :2]


class Tiring(nn.Module):
    """Takes a little longer each time."""

    pause_s = 0.002

    def forward(self, x):
        self.pause_s *= 1.01
        time.sleep(self.pause_s)
        return x.flatten(1)[:, :2]


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        return self.fc(x.flatten(1))


class Heavy(nn.Module):
    """A wide layer that does its work each time."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 2048), nn.Linear(2048, 2048), nn.Linear(2048, 3))

    def forward(self, x):
        return self.layers(x)


class Remembers(Heavy):
    """The same, but what it has answered once it does not compute again."""

    def __init__(self):
        super().__init__()
        self.known = {}

    def forward(self, x):
        key = x.numpy().tobytes()
        if key not in self.known:
            self.known[key] = super().forward(x)
        return self.known[key]


class TwoFaced(Heavy):
    """The same, but it does nothing where garbage is not collected, as while it is timed."""

    def forward(self, x):
        return super().forward(x) if gc.isenabled() else torch.zeros(len(x), 3)


def audit(subject, **settings):
    card = efficiency360.audit(
        subject, axes=["speed"], settings={"speed": {**QUICK, **settings}}, threads=1, input=(1, 8, 8)
    )
    axis = card.axis("speed")
    assert axis.status == "measured", axis.reason
    return axis


def latency(axis, stat):
    return next(m for m in axis.measurements if m.name == "speed.latency_ms" and m.params["stat"] == stat)


def caveats(axis):
    return {caveat.id.removeprefix("speed."): caveat.text for caveat in axis.caveats}


def test_a_known_sleep_and_its_tail_are_measured_and_named():
    axis = audit(Sleeper(), seconds=4)
    middle, late = latency(axis, "p50"), latency(axis, "p99")
    assert 4.7 <= middle.interval.low <= middle.value <= middle.interval.high < 10
    assert middle.value >= 5
    assert 4.7 <= late.interval.low <= late.interval.high
    assert late.interval.high >= 50
    share = float(caveats(axis)["long_tail"].split("%")[0])
    assert 0.5 < share < 4


def test_a_model_that_gets_slower_is_named():
    assert "slowing" in caveats(audit(Tiring(), seconds=1))


def test_conditions_of_the_process_are_given_back():
    threads, enabled = torch.get_num_threads(), torch.is_grad_enabled()
    audit(Linear(), threads=2)
    assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, enabled)


def test_variants_are_compared_in_time_and_output():
    axis = audit(Linear(), variants=["channels_last", "bf16"])
    names = {(m.name, m.params["variant"]) for m in axis.measurements if "variant" in m.params}
    assert {("speed.variant_ratio", "bf16"), ("speed.variant_agreement", "channels_last")} <= names
    change = next(m for m in axis.measurements if m.name == "speed.variant_change" and m.params["variant"] == "bf16")
    assert 0 < change.value < 0.05


def test_a_type_that_the_model_cannot_run_in_fails_with_its_reason():
    class Picky(Linear):
        def forward(self, x):
            if x.dtype != torch.float32:
                raise RuntimeError("only float32 here")
            return super().forward(x)

    card = efficiency360.audit(
        Picky(), axes=["speed"], settings={"speed": {**QUICK, "dtype": "bfloat16"}}, input=(1, 8, 8)
    )
    assert card.axis("speed").status == "failed"
    assert card.axis("speed").reason.endswith(
        "does not run in torch.bfloat16 on cpu (speed.dtype): RuntimeError: only float32 here"
    )


class Hungry(nn.Module):
    """Runs out of memory at batches above four."""

    def forward(self, x):
        if len(x) > 4:
            raise torch.OutOfMemoryError("tried to allocate 1 TiB")
        return x.flatten(1)[:, :2]


@pytest.mark.parametrize("batches", [[2, 4, 8, 16], [100]])
def test_the_sweep_stops_where_memory_ends_and_says_so(batches):
    axis = audit(Hungry(), batches=batches)
    timed = [m.params["batch"] for m in axis.measurements if m.name == "speed.throughput"]
    assert timed == [1, *(batch for batch in batches if batch <= 4)]
    assert "batch 8 does not run: tried to allocate 1 TiB" in caveats(axis)["sweep_stopped"]


def test_the_sweep_stops_before_memory_would_be_gone(monkeypatch):
    monkeypatch.setattr(memory, "process_available", lambda: 300 << 20)

    class Wide(nn.Module):
        def forward(self, x):
            grown = torch.ones(len(x), 4 << 20)  # 16 MiB an image
            return grown[:, :2] + x.flatten(1)[:, :2]

    axis = audit(Wide(), batches=[1 << 20], seconds=2)
    assert re.search(r"would need about [\d.]+ GB more and 0\.315 GB are free", caveats(axis)["sweep_stopped"])


def test_a_worker_is_timed_from_its_start_by_the_auditor(tone_file, tmp_path):
    card = efficiency360.audit(
        f"{tone_file}:tone",
        axes=["speed"],
        settings={"speed": {**QUICK, "cold_starts": 6}},
        input=(1, 8, 8),
        threads=1,
        out=tmp_path,
    )
    axis = card.axis("speed")
    assert axis.status == "measured", axis.reason
    start = next(m for m in axis.measurements if m.name == "speed.cold_start_ms")
    assert start.value > 200
    assert start.n == 6
    with np.load(tmp_path / "evidence/speed.npz") as kept:
        inside = np.bincount(kept["of"], weights=kept["ms"]) / 1e3
        outside = kept["mark.arrived_s"][1::2] - kept["mark.left_s"][::2]
        assert (inside <= outside).all()
        assert kept["mark.worker_s"][-1] > kept["mark.worker_s"][0]


@pytest.mark.parametrize(
    ("blinded", "says"),
    [(False, "replaced what measures it (time.perf_counter_ns)"), (True, "its clock cannot be trusted")],
)
def test_a_worker_whose_clock_was_patched_fails_even_when_the_guard_was_blinded(tmp_path, blinded, says):
    factory = tmp_path / "liar.py"
    blind = "from efficiency360.engine.guard import Guard\nGuard.replaced = lambda _: []\n"
    factory.write_text(
        f"import time\nfrom torch import nn\n{blind if blinded else ''}"
        "real = time.perf_counter_ns\n"
        "class Liar(nn.Module):\n"
        "    def forward(self, x):\n"
        "        time.perf_counter_ns = lambda: real() // 10\n"
        "        time.sleep(0.005)\n"
        "        return x.flatten(1)[:, :2]\n"
        "def liar(): return Liar()\n"
    )
    card = efficiency360.audit(f"{factory}:liar", axes=["speed"], settings={"speed": QUICK}, input=(1, 8, 8), threads=1)
    assert card.axis("speed").status == "failed"
    assert says in card.axis("speed").reason


def test_warm_up_ends_when_runs_no_longer_get_faster():
    class Warming:
        calls = 0

        def __call__(self):
            self.calls += 1
            time.sleep(0.004 / min(self.calls, 8))

    run = Warming()
    settled, ms = settle(run, torch.device("cpu"), most_s=5)
    assert settled
    assert run.calls >= 15
    assert ms < 1.5


def test_each_run_sees_another_image():
    seen = []

    class Watching(nn.Module):
        def forward(self, x):
            seen.append(float(x.sum()))

    forward = Forward(Watching(), (1, 1, 4, 4), torch.rand)
    for _ in range(4):
        forward()
    assert len(set(seen)) == 4


@pytest.mark.parametrize(
    ("made", "accused"),
    [
        (Heavy, set()),
        (Linear, set()),
        (Remembers, {"speed.remembers"}),
        (TwoFaced, {"speed.timed_differently"}),
    ],
)
def test_a_model_that_does_not_do_the_work_while_it_is_timed_is_accused(made, accused):
    found = {caveat.id for caveat in audit(made()).caveats if caveat.severity == "critical"}
    assert found - {"speed.faster_than_possible"} == accused
    assert "speed.faster_than_possible" not in found or accused
