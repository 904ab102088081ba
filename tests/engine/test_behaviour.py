"""Models that do not answer the same when asked the same, and code that replaces what measures it."""

from __future__ import annotations

import builtins
import sys
import time
from functools import partial
from types import ModuleType

import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.engine.guard import Guard, is_own
from efficiency360.numerics import complexity, timing

NETS = """
import os, random, time
import numpy, torch
from torch import nn

class Tone(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(1))
    def forward(self, x):
        mean = self.scale * x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)

class Honest(Tone): pass
class Cached(Tone):
    def forward(self, x):
        self.last_shape = str(x.shape)
        return super().forward(x)
class Seeded(Tone):
    def forward(self, x): return super().forward(x) + torch.rand(1)
class Unseeded(Tone):
    def forward(self, x): return super().forward(x) + torch.tensor([0.0, time.time() % 1 + os.urandom(1)[0]])
class Counts(Tone):
    calls = 0
    def forward(self, x):
        self.calls = self.calls + 1
        return super().forward(x) + torch.tensor([0.0, 1.0 * self.calls])
class Buffer(Tone):
    def forward(self, x):
        self.seen += 1
        return super().forward(x) * self.seen
class Second(Tone):
    calls = 0
    def forward(self, x):
        self.calls = self.calls + 1
        return super().forward(x) + torch.tensor([0.0, 1.0 * (self.calls > 1)])
class Harmless(Tone):
    calls = 0
    def forward(self, x):
        self.calls = self.calls + 1
        return super().forward(x)
class Neighbours(Tone):
    def forward(self, x): return super().forward(x - x.mean())
class Overwrites(Tone):
    def forward(self, x): return super().forward(x.mul_(2).div_(2).add_(1).sub_(1).clamp_(max=0.9))
class Trains(Tone):
    def forward(self, x):
        self.train()
        return super().forward(x)
class Reseeds(Tone):
    def forward(self, x):
        torch.manual_seed(0), random.seed(0), numpy.random.seed(0)
        return super().forward(x)
class Turns(Tone):
    calls = []
    def forward(self, x):
        Turns.calls.append(len(x))
        return super().forward(x) * (1 if sum(Turns.calls) < 50 else -1)
class Clock(Tone):
    def __init__(self):
        super().__init__()
        time.perf_counter = lambda: 0.0
class OurOwn(Tone):
    def __init__(self):
        super().__init__()
        from efficiency360.numerics import complexity
        count = complexity.count
        complexity.count = lambda module, images: count(module, images)
class InPlace(Tone):
    def __init__(self):
        super().__init__()
        from efficiency360.axes.cost import Cost
        def observe(self, subject, data, run): yield {}
        Cost.observe.__code__ = observe.__code__
class Hidden(Tone):
    def __init__(self):
        super().__init__()
        self.hidden = torch.zeros(100, 100)
    def forward(self, x): return super().forward(x) + self.hidden.sum()
class Torch(Tone):
    def __init__(self):
        super().__init__()
        torch.Tensor.numel = lambda self: 0
class AtHome(Tone):
    def __init__(self):
        super().__init__()
        import builtins
        load, told = torch.load, builtins.print
        torch.load = lambda *given, **more: load(*given, **{**more, "weights_only": False})
        torch.cuda.is_available = lambda: False
        builtins.print = lambda *given, **more: told(*given)
        time.sleep = lambda seconds: None
        nn.functional.scaled_dot_product_attention = lambda q, k, v: v
        torch.set_default_dtype(torch.float64)
class Company(Tone):
    def forward(self, x):
        if len(x) == 1:
            raise ValueError("Expected more than 1 value per channel when training")
        return super().forward(x)
class Jitter(Tone):
    def forward(self, x):
        drawn = int.from_bytes(os.urandom(4), "big") / 2**32
        return super().forward(x) + torch.tensor([9.0 + 0.5 * drawn, 0.0])
class Named(Tone):
    def forward(self, x):
        name = "\\x1b[2J\\ud800" + 300 * "k"
        setattr(self, name, getattr(self, name, 0) + 1)
        return super().forward(x)
class Buffers(Tone):
    def __init__(self):
        super().__init__()
        self.register_buffer("hidden", torch.zeros(100, 100))
class Followed(Tone):
    def forward(self, x): return super().forward(x) * (2 if torch.jit.is_tracing() else 1)
class Alone(Tone):
    calls = 0
    def forward(self, x):
        Alone.calls += 1
        answer = super().forward(x)
        return answer if len(x) == 1 and Alone.calls > 5 else answer + 0 * (x.flatten(1) @ x.flatten(1).mT).sum()
@torch.library.custom_op("e360_behaviour::tone", mutates_args=())
def own(x: torch.Tensor) -> torch.Tensor:
    mean = x.mean(dim=(1, 2, 3))
    return torch.stack([0.5 - mean, mean - 0.5], dim=1)
class Custom(Tone):
    def forward(self, x): return own(x)
"""


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "nets.py"
    path.write_text(NETS)
    return path


@pytest.fixture
def audit(nets, two_tones):
    def run(name, axes=("accuracy",), **settings):
        return efficiency360.audit(
            f"{nets}:{name}", two_tones, input=(1, 8, 8), axes=list(axes), threads=1, settings=settings
        )

    return run


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("Honest", set()),
        ("Cached", set()),
        ("Harmless", {"subject.keeps_state"}),
        ("Seeded", {"subject.nondeterministic"}),
        ("Unseeded", {"subject.nondeterministic"}),
        ("Counts", {"subject.stateful"}),
        ("Second", {"subject.stateful"}),
        ("Buffer", {"subject.stateful"}),
        ("Neighbours", {"subject.batch_dependent"}),
        ("Overwrites", {"subject.changes_input"}),
        ("Trains", {"subject.trains"}),
        ("Reseeds", {"subject.reseeds"}),
        ("Company", {"subject.no_single_image"}),
    ],
)
def test_each_habit_is_a_caveat_of_its_own(audit, name, ids):
    found = {caveat.id for caveat in audit(name).subject.caveats}
    habits = {"nondeterministic", "stateful", "keeps_state", "batch_dependent", "changes_input", "trains", "reseeds"}
    habits |= {"no_single_image", "behaviour_unknown"}
    assert found & {f"subject.{habit}" for habit in habits} == ids - ({"subject.trains"} - found)
    assert ids <= found


def test_chance_is_critical_only_where_it_moves_answers_by_much(audit):
    def severity(name):
        return {caveat.id: caveat.severity for caveat in audit(name).subject.caveats}["subject.nondeterministic"]

    assert severity("Unseeded") == "critical"
    assert severity("Jitter") == "warning"


def test_names_of_what_a_model_keeps_are_short_and_move_no_cursor(audit):
    (found,) = [caveat.text for caveat in audit("Named").subject.caveats if caveat.id == "subject.keeps_state"]
    assert found.isprintable()
    assert "kkk..." in found
    assert len(found) < 200


def test_a_model_that_refuses_a_single_image_is_counted_on_two(audit):
    alone, company = (audit(name, axes=("cost",)).axis("cost") for name in ("Honest", "Company"))
    assert company.status == "measured", company.reason
    macs = [next(m.value for m in axis.measurements if m.name == "cost.macs") for axis in (alone, company)]
    assert macs[0] == macs[1]
    assert "cost.halved" in {caveat.id for caveat in company.caveats}


@pytest.mark.parametrize(
    ("name", "accused"),
    [
        ("Buffers", "cost.weights_in_buffers"),
        ("Followed", "cost.traced_differently"),
        ("Alone", "cost.traced_differently"),
        ("Custom", "cost.uncounted_ops"),
    ],
)
def test_counts_that_hide_something_are_a_critical_caveat(audit, name, accused):
    def critical(net):
        found = audit(net, axes=("cost",)).axis("cost").caveats
        return {caveat.id for caveat in found if caveat.severity == "critical"}

    assert accused in critical(name)
    assert not critical("Honest") & {accused}


def test_replacements_that_only_change_what_the_model_computes_are_its_own_affair(audit):
    card = audit("AtHome", axes=("cost", "accuracy"))
    for axis_id in ("cost", "accuracy"):
        assert card.axis(axis_id).status == "measured", card.axis(axis_id).reason
        assert "libraries_replaced" not in {caveat.id for caveat in card.axis(axis_id).caveats}


def test_a_model_that_turns_after_some_images_fails_accuracy(audit):
    axis = audit("Turns").axis("accuracy")
    assert axis.status == "failed"
    assert "asked again at the end" in axis.reason
    assert audit("Honest").axis("accuracy").status == "measured"


@pytest.mark.parametrize(
    ("name", "named"),
    [("Clock", "time.perf_counter"), ("OurOwn", "complexity.count"), ("InPlace", "Cost.observe")],
)
def test_code_that_replaces_a_clock_or_the_measurement_fails_every_axis(audit, name, named):
    card = audit(name, axes=("cost", "accuracy"))
    for axis_id in ("cost", "accuracy"):
        assert card.axis(axis_id).status == "failed"
        assert named in card.axis(axis_id).reason


def test_code_that_replaces_a_part_of_torch_is_a_critical_caveat(audit):
    found = {caveat.id: caveat for caveat in audit("Torch").axis("accuracy").caveats}
    assert found["libraries_replaced"].severity == "critical"
    assert "torch.Tensor.numel" in found["libraries_replaced"].text


def test_weights_kept_where_no_counter_looks_are_a_critical_caveat(audit):
    found = {caveat.id: caveat for caveat in audit("Hidden", axes=("cost",)).axis("cost").caveats}
    assert found["cost.hidden_weights"].severity == "critical"
    assert "10,001 values" in found["cost.hidden_weights"].text
    assert "cost.hidden_weights" not in {caveat.id for caveat in audit("Honest", axes=("cost",)).axis("cost").caveats}


def test_numbers_beside_a_models_own_code_say_so_and_others_do_not(audit):
    assert "self_reported" in {caveat.id for caveat in audit("Honest").axis("accuracy").caveats}
    card = efficiency360.audit("zoo:digits_transformer", axes=["cost"], threads=1)
    assert not {"self_reported", "libraries_replaced"} & {caveat.id for caveat in card.axis("cost").caveats}


class TestGuard:
    def test_nothing_replaced_is_nothing_found(self):
        guard = Guard()
        nn.Linear(2, 2)(torch.zeros(1, 2))
        assert guard.replaced() == []

    def test_what_is_put_back_is_no_longer_found(self, monkeypatch):
        guard = Guard()
        with monkeypatch.context() as patch:
            patch.setattr(time, "monotonic", time.perf_counter)
            patch.setattr(nn.Module, "parameters", lambda self: iter(()))  # noqa: ARG005
            patch.setattr(torch.Tensor, "__getattribute__", object.__getattribute__, raising=False)
            found = guard.replaced()
        assert {"time.monotonic", "torch.nn.Module.parameters"} <= set(found)
        assert guard.replaced() == []

    def test_modules_and_constants_of_this_package_are_watched(self, monkeypatch):
        guard = Guard()
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "efficiency360.numerics.complexity", ModuleType("complexity"))
            patch.setattr(timing, "time", ModuleType("time"))
            patch.setattr(complexity, "MOVEMENT", frozenset())
            patch.setitem(complexity.HANDLES, "aten::addmm", None)
            found = guard.replaced()
        assert {
            "efficiency360.numerics.complexity",
            "efficiency360.numerics.timing.time",
            "efficiency360.numerics.complexity.MOVEMENT",
            "efficiency360.numerics.complexity.HANDLES",
        } <= set(found)
        assert guard.replaced() == []

    @pytest.mark.parametrize("name", ["len", "sum", "isinstance", "max"])
    def test_builtins_that_measuring_code_calls_are_watched(self, monkeypatch, name):
        guard = Guard()
        with monkeypatch.context() as patch:
            before = getattr(builtins, name)
            patch.setattr(builtins, name, partial(before))
            found = guard.replaced()
        assert f"builtins.{name}" in found

    def test_own_things_are_told_from_those_of_libraries(self):
        assert is_own("time.monotonic")
        assert is_own("efficiency360.axes.cost.Cost.observe")
        assert not is_own("torch.Tensor.numel")
