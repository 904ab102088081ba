"""What the parent makes of a worker that misbehaves."""

from __future__ import annotations

import time

import numpy as np
import pytest

from efficiency360.engine.job import Observation
from efficiency360.engine.remote import Worker
from efficiency360.errors import AxisError, UndecidedError
from efficiency360.subject.request import SubjectOptions, request_subject

STRAY = """
import json, os, struct, sys, time, torch
from torch import nn

def reply(raw):
    os.write(int(sys.argv[1]), raw)

def message(**header):
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text

class Stray(nn.Module):
    raw = b""
    def forward(self, x):
        if len(x) > 2:
            reply(self.raw)
        return torch.zeros(len(x), 2)

class Garbage(Stray): raw = b"\\xff" * 64
class Claim(Stray): raw = struct.pack("<I", 2**31)
class Demand(Stray): raw = message(kind="need", body={}, arrays=[])
class Beyond(Stray): raw = message(kind="need", body={"of": "data", "start": 0, "stop": 9999}, arrays=[])
class Progress(Stray): raw = message(kind="progress", body={"done": "x", "total": 1}, arrays=[])
class Other(Stray): raw = message(kind="pass", body={}, arrays=[])
class Gone(Stray):
    def forward(self, x):
        if len(x) > 2:
            os._exit(0)
        return torch.zeros(len(x), 2)
class Children(Stray):
    def forward(self, x):
        if os.fork() == 0:
            time.sleep(600)
        return torch.zeros(len(x), 2)
"""


@pytest.fixture
def observe(tmp_path, two_tones):
    """Observe the accuracy axis of one of the classes above."""
    path = tmp_path / "stray.py"
    path.write_text(STRAY)
    workers = []

    def run(name, **options):
        worker = Worker(tmp_path / "run.log", **options)
        workers.append(worker)
        request = request_subject(f"{path}:{name}", SubjectOptions(input=(1, 8, 8)))
        worker.load(request)
        return worker.observe(Observation("accuracy", {}, {"data": two_tones}))

    yield run
    for worker in workers:
        worker.close()


@pytest.mark.parametrize("name", ["Garbage", "Claim", "Demand", "Beyond", "Progress", "Other", "Gone"])
def test_a_worker_that_answers_nonsense_fails_the_axis(observe, name):
    with pytest.raises(AxisError):
        observe(name)


def test_after_a_failed_axis_the_next_one_gets_a_fresh_worker(tmp_path, two_tones, observe):
    with pytest.raises(AxisError):
        observe("Gone")
    worker = Worker(tmp_path / "run.log")
    worker.load(request_subject(f"{tmp_path / 'stray.py'}:Gone", SubjectOptions(input=(1, 8, 8))))
    with pytest.raises(AxisError):
        worker.observe(Observation("accuracy", {}, {"data": two_tones}))
    evidence = worker.observe(Observation("cost", {}))
    worker.close()
    assert np.array_equal(evidence["params"], [0])


def test_children_that_the_model_leaves_behind_hold_nobody_up(observe):
    began = time.monotonic()
    assert observe("Children")["logits"].shape == (40, 2)
    assert time.monotonic() - began < 100


def test_time_that_runs_out_while_loading_is_undecided_not_wrong_usage(observe):
    with pytest.raises(UndecidedError, match="--budget"):
        observe("Gone", deadline=time.monotonic() + 0.2)
