"""Turns are fair: drift cancels, a planted 5 % is found, clocks that lie are refused, nothing is left running."""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from efficiency360.dataset.preprocess import Preprocess
from efficiency360.engine.contender import Contender, labels, line_up
from efficiency360.engine.guard import REPLACED
from efficiency360.engine.host import Host
from efficiency360.engine.interleaved import Plan, interleave
from efficiency360.errors import AxisError, InputError, UndecidedError
from efficiency360.subject.info import SubjectInfo, described
from efficiency360.subject.request import SubjectOptions, SubjectRequest, request_subject

WARM_RUNS = 15


@dataclass
class Machine:
    """A clock that only runs of models move, a drift that makes them slower, and who ran when."""

    drift_per_s: float = 0.0
    now: float = 0.0
    ran: list[str] = field(default_factory=list)

    def run(self, ms):
        took = ms * (1 + self.drift_per_s * self.now)
        self.now += took / 1e3
        return took


class Fake:
    """An executor whose model takes `ms`, times the luck of its process; `lies` is the share of its time it reports."""

    isolation = ("none",)
    missing = ()

    def __init__(self, machine, name, ms, *, luck=0.0, **misbehaves):
        self.machine, self.name, self.ms, self.luck = machine, name, ms, luck
        self.lies, self.fails_at, self.replaced = map(misbehaves.get, ("lies", "fails_at", "replaced"))
        self.rng = np.random.default_rng(ord(name[0]))
        self.starts = self.turns = 0
        self.open = False

    def load(self, request):
        self.start_anew()
        preprocess = Preprocess(size=(8, 8), resize=None)
        return SubjectInfo(
            record=described(request, preprocess, 2, ()),
            preprocess=preprocess,
            num_classes=2,
            class_names=None,
            differentiable=True,
            device="cpu",
            versions={},
        )

    def start_anew(self):
        self.open, self.starts = True, self.starts + 1
        self.process_ms = self.ms * np.exp(self.rng.normal(0, self.luck))
        return 1.0

    def observe(self, asked):
        self.turns += 1
        if self.turns == self.fails_at:
            raise AxisError("the worker was killed by SIGKILL (out of memory?)")
        for _ in range(WARM_RUNS if asked.settings["warm_s"] else 0):
            self.machine.run(self.process_ms)
        began, taken = self.machine.now, []
        while not taken or self.machine.now < began + asked.settings["seconds"]:
            taken.append(self.machine.run(self.process_ms))
        if not asked.settings["warm_s"]:
            self.machine.ran.append(self.name)
        clock = np.array([began, self.machine.now])
        return {
            "ms": np.array(taken) * (self.lies or 1.0),
            "of": np.zeros(len(taken), np.int64),
            "stretch_turn": np.array([asked.settings["turn"]]),
            "device": np.array(["cpu"]),
            "processors": np.array([2]),
            "mark.arrived_s": clock,
            "mark.left_s": clock,
            **({REPLACED: np.array(self.replaced)} if self.replaced else {}),
        }

    def close(self):
        self.open = False


def request(name, **changes):
    return SubjectRequest(name=name, file=None, kind="random weights", fingerprint=None, arch=name, **changes)


def race(fakes, **options):
    found = interleave([Contender(fake.name, request(fake.name), fake) for fake in fakes], **options)
    assert not any(fake.open for fake in fakes)
    return found


def pair(machine, ratio=1.0, **options):
    return [Fake(machine, "A", 5.0, **options), Fake(machine, "B", 5.0 * ratio, **options)]


def test_a_drift_that_would_fool_one_after_the_other_finds_no_difference():
    machine = Machine(drift_per_s=0.02)
    found = race(pair(machine, luck=0.003))
    first, last = found.turns[0].median_ms, found.turns[-1].median_ms
    assert last > 1.2 * first
    comparison = found.comparisons[0]
    assert comparison.verdict == "no difference shown"
    assert comparison.could_show < 0.01


@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_a_planted_five_percent_is_found_in_spite_of_drift_and_luck(ratio, verdict):
    comparison = race(pair(Machine(drift_per_s=0.01), ratio, luck=0.01)).comparisons[0]
    assert comparison.verdict == verdict
    assert comparison.interval.low <= ratio <= comparison.interval.high


def test_a_clock_that_lies_is_refused_by_name():
    machine = Machine()
    honest, liar = Fake(machine, "honest", 5.0), Fake(machine, "liar", 5.0, lies=0.5)
    with pytest.raises(UndecidedError, match=r"liar: failed while it was timed: .*clock cannot be trusted"):
        race([honest, liar])
    assert not honest.open
    assert not liar.open


def test_code_that_exchanges_a_clock_is_refused_and_one_that_exchanges_a_library_is_named():
    machine = Machine()
    with pytest.raises(UndecidedError, match=r"B: .*replaced what measures it \(time\.perf_counter_ns\)"):
        race([Fake(machine, "A", 5.0), Fake(machine, "B", 5.0, replaced=["time.perf_counter_ns"])])
    found = race([Fake(machine, "A", 5.0), Fake(machine, "B", 5.0, replaced=["torch.arange"])])
    assert [[caveat.id for caveat in subject.caveats] for subject in found.subjects] == [[], ["libraries_replaced"]]


def test_code_of_its_own_makes_a_subject_self_reported():
    machine = Machine()
    own = Contender("own", request("own", factory_fingerprint="0" * 64), Fake(machine, "own", 5.0))
    found = interleave([Contender("A", request("A"), Fake(machine, "A", 5.0)), own])
    assert [[caveat.id for caveat in subject.caveats] for subject in found.subjects] == [[], ["self_reported"]]


def test_each_generation_is_started_anew_and_each_turn_mirrored():
    machine = Machine()
    fakes = [Fake(machine, name, 5.0) for name in "ABC"]
    found = race(fakes, seed=7)
    assert found.generations == 9
    assert [fake.starts for fake in fakes] == [9, 9, 9]
    order = [turn.label for turn in found.turns]
    assert order == machine.ran
    pairs = ["".join(order[at : at + 6]) for at in range(0, len(order), 6)]
    assert all(sorted(one[:3]) == list("ABC") and one[:3] == one[:2:-1] for one in pairs)
    assert len({one[:3] for one in pairs}) == 6
    each = {"label": "A", "generation": 9}
    assert sum(each.items() <= turn.model_dump().items() for turn in found.turns) == found.turns_each


def test_the_median_of_each_turn_stands_under_the_model_that_took_it():
    machine = Machine()
    found = race([Fake(machine, "A", 5.0), Fake(machine, "B", 7.0), Fake(machine, "C", 11.0)])
    by_label = {label: {turn.median_ms for turn in found.turns if turn.label == label} for label in "ABC"}
    assert {label: {round(ms, 6) for ms in medians} for label, medians in by_label.items()} == {
        "A": {5.0},
        "B": {7.0},
        "C": {11.0},
    }
    assert [round(one.ratio, 6) for one in found.comparisons] == [1.4, 2.2]
    assert found.comparisons[0].interval.level == pytest.approx(0.975)
    assert [subject.latency_ms for subject in found.subjects] == pytest.approx([5, 7, 11])


def test_the_time_asked_for_is_spread_over_all_generations():
    found = race(pair(Machine()), seconds=16)
    timed = sum(turn.median_ms * turn.runs for turn in found.turns if turn.label == "A") / 1e3
    assert timed == pytest.approx(16, rel=0.1)
    assert found.turn_s * found.turns_each * found.generations == pytest.approx(16)


@pytest.mark.parametrize(("seconds", "ms", "pairs"), [(8, 5, 10), (8, 250, 2), (8, 9000, 1), (0.1, 5, 1), (800, 5, 30)])
def test_slow_models_take_fewer_turns_and_long_runs_no_more_than_thirty_pairs(seconds, ms, pairs):
    assert Plan.of(seconds, ms, 2).pairs == pairs


class Broken(Fake):
    def load(self, request):
        raise InputError(f"{request.name}: it holds no weights")


class Vanishing(Fake):
    def start_anew(self):
        if self.starts == 3:
            raise AxisError("a fresh worker could not load the subject again: the file is gone")
        return super().start_anew()


class Interrupted(Fake):
    def observe(self, asked):
        if self.turns == 5:
            raise KeyboardInterrupt
        return super().observe(asked)


@pytest.mark.parametrize(
    ("other", "error", "says"),
    [
        (lambda machine: Broken(machine, "B", 5.0), InputError, "^B: it holds no weights$"),
        (
            lambda machine: Fake(machine, "B", 5.0, fails_at=9),
            UndecidedError,
            "^B: failed while it was timed: .*SIGKILL",
        ),
        (lambda machine: Vanishing(machine, "B", 5.0), UndecidedError, "^B: a fresh worker .* the file is gone$"),
        (lambda machine: Interrupted(machine, "B", 5.0), KeyboardInterrupt, None),
    ],
)
def test_whatever_goes_wrong_names_the_subject_and_leaves_nothing_running(other, error, says):
    machine = Machine()
    fakes = [Fake(machine, "A", 5.0), other(machine)]
    threads = threading.active_count()
    with pytest.raises(error, match=says):
        race(fakes)
    assert not any(fake.open for fake in fakes)
    assert threading.active_count() == threads


def test_a_subject_that_is_still_loading_gives_up_when_another_cannot_be_loaded():
    stop = threading.Event()

    class Endless(Fake):
        def load(self, _request):
            assert stop.wait(60)
            raise AxisError("it was stopped")

    machine = Machine()
    fakes = [Endless(machine, "A", 5.0), Broken(machine, "B", 5.0)]
    with pytest.raises(InputError, match="B: it holds no weights"):
        race(fakes, stop=stop.set)
    assert stop.is_set()


def test_what_the_benchmark_plants_is_five_percent_of_work(root):
    spec = importlib.util.spec_from_file_location("benchmark", root / "benchmarks" / "interleaved.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    assert benchmark.flops(benchmark.more()) / benchmark.flops(benchmark.plain()) == pytest.approx(1.05, abs=0.0005)


def test_a_subject_given_twice_is_numbered_and_files_of_one_name_keep_their_folders():
    assert labels(["a.pt", "a.pt", "a.pt"], ["x/a.pt"] * 3) == ["a.pt", "a.pt (2)", "a.pt (3)"]
    assert labels(["a.pt", "a.pt", "b.pt"], ["x/a.pt", "y/a.pt", "b.pt"]) == ["x/a.pt", "y/a.pt", "b.pt"]


@pytest.mark.parametrize(
    "sent",
    [
        {"ms": np.array([])},
        {"ms": np.array([np.nan])},
        {"ms": np.array(["5"])},
        {"ms": np.ones((2, 2))},
        {"mark.left_s": np.arange(4.0)},
    ],
)
def test_a_worker_that_sends_something_else_than_a_turn_is_refused_by_name(sent):
    class Odd(Fake):
        def observe(self, asked):
            return {**super().observe(asked), **sent}

    machine = Machine()
    with pytest.raises(UndecidedError, match=r"^B: .*it did not take one turn"):
        race([Fake(machine, "A", 5.0), Odd(machine, "B", 5.0)])


@pytest.mark.parametrize(
    "sent", [{"device": np.array([])}, {"processors": np.array([0])}, {"stretch_more": np.arange(3)}]
)
def test_a_worker_whose_evidence_makes_no_sense_is_refused_by_name(sent):
    class Odd(Fake):
        def observe(self, asked):
            evidence = super().observe(asked)
            return {**evidence, **sent, "mark.busy_s": evidence["mark.left_s"], "mark.worker_s": np.zeros(2)}

    machine = Machine()
    with pytest.raises(UndecidedError, match=r"^B: "):
        race([Fake(machine, "A", 5.0), Odd(machine, "B", 5.0)])


PARALLEL = """
from torch import nn
def net():
    return nn.Sequential(nn.Conv2d(1, 64, 5), nn.Conv2d(64, 64, 5), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


HANGS = """
import time
from torch import nn
class Hangs(nn.Flatten):
    left = 500
    def forward(self, x):
        self.left -= 1
        while self.left < 0:
            time.sleep(0.1)
        return super().forward(x)
def net():
    return nn.Sequential(Hangs(), nn.Linear(64, 2))
"""


def _run_on(one):
    for turn in range(400):
        one.run(turn, 0.05)


def test_a_model_that_hangs_while_it_is_timed_is_told_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("efficiency360.engine.contender._SLOW_S", 1.0)
    file = tmp_path / "hangs.py"
    file.write_text(HANGS)
    given = [f"{file}:net"]
    requests = [request_subject(given[0], SubjectOptions(input=(1, 8, 8)))]
    (one,), _ = line_up(requests, given, tmp_path / "run.log", strict=False)
    try:
        one.start()
        with pytest.raises(UndecidedError, match=r"net: failed while it was timed: no answer for \d+ seconds"):
            _run_on(one)
        assert one.executor._process is None
    finally:
        one.executor.close()


def test_a_worker_that_waits_for_its_turn_uses_no_processor(tmp_path):
    file = tmp_path / "parallel.py"
    file.write_text(PARALLEL)
    given = [f"{file}:net"] * 2
    options = SubjectOptions(input=(1, 64, 64))
    requests = [request_subject(one, options).model_copy(update={"threads": 2}) for one in given]
    (waits, runs), _ = line_up(requests, given, tmp_path / "run.log", strict=False)
    try:
        for contender in (waits, runs):
            contender.start()
            contender.run(0, 0.05, warm_s=0.2)
        evidence = runs.run(1, 0.1)
        pid, host = waits.executor._process.pid, Host()
        before = host.read(pid)["worker_s"]
        for turn in range(2, 7):
            runs.run(turn, 0.2)
        assert host.read(pid)["worker_s"] - before <= 0.05
    finally:
        waits.executor.close()
        runs.executor.close()
    assert len(evidence["mark.left_s"]) == 2
