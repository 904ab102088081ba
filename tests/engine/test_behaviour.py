"""Models that do not answer the same when asked the same, and code that replaces what measures it."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.engine.guard import Guard, is_own

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
        ("Buffer", {"subject.stateful"}),
        ("Neighbours", {"subject.batch_dependent"}),
        ("Overwrites", {"subject.changes_input"}),
        ("Trains", {"subject.trains"}),
        ("Reseeds", {"subject.reseeds"}),
    ],
)
def test_each_habit_is_a_caveat_of_its_own(audit, name, ids):
    found = {caveat.id for caveat in audit(name).subject.caveats}
    habits = {"nondeterministic", "stateful", "keeps_state", "batch_dependent", "changes_input", "trains", "reseeds"}
    assert found & {f"subject.{habit}" for habit in habits} == ids - ({"subject.trains"} - found)
    assert ids <= found


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

    def test_own_things_are_told_from_those_of_libraries(self):
        assert is_own("time.sleep")
        assert is_own("efficiency360.axes.cost.Cost.observe")
        assert not is_own("torch.Tensor.numel")
