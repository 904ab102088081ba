"""What the parent makes of a worker that misbehaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from efficiency360.engine.job import Observation
from efficiency360.engine.remote import Worker
from efficiency360.engine.wall import ALWAYS
from efficiency360.errors import AxisError, InputError, UndecidedError
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
        try:
            if os.fork() == 0:
                time.sleep(600)
        except PermissionError:
            print("no children")
        return torch.zeros(len(x), 2)
class Exits(Stray):
    def forward(self, x):
        if len(x) > 2:
            sys.exit(0)
        return torch.zeros(len(x), 2)
class Nameless(BaseException):
    def __str__(self): raise self
class Odd(Stray):
    def forward(self, x):
        if len(x) > 2:
            raise Nameless
        return torch.zeros(len(x), 2)
class Fills(Stray):
    def forward(self, x):
        if len(x) > 2:
            for n in range(20_000):
                open(f"{n}", "w").close()
            time.sleep(600)
        return torch.zeros(len(x), 2)
class Hides(Stray):
    def forward(self, x):
        if len(x) > 2:
            held = []
            for _ in range(9):
                held.append(os.open(".", os.O_TMPFILE | os.O_RDWR))
                os.posix_fallocate(held[-1], 0, 250 << 20)
            time.sleep(600)
        return torch.zeros(len(x), 2)
class Unread(Stray):
    def forward(self, x):
        while len(x) > 2:
            reply(message(kind="need", body={"of": "data", "start": 0, "stop": 40}, arrays=[]))
        return torch.zeros(len(x), 2)
class Floods(Stray):
    def forward(self, x):
        if len(x) > 2:
            raw = message(kind="evidence", body={}, arrays=[["a", "<f8", [1 << 24]]]) + bytes(8 << 24)
            while True:
                reply(raw)
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


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Exits", "SystemExit: 0"),
        ("Odd", "no message that can be shown"),
        ("Fills", "filled its private folder"),
        ("Hides", "filled its private folder"),
        ("Floods", "more than 4 GB of evidence"),
    ],
)
def test_a_model_that_misbehaves_fails_the_axis_and_the_reason_names_it(observe, name, says):
    with pytest.raises(AxisError, match=says):
        observe(name)


def test_a_model_that_reads_nothing_is_ended_by_the_budget(observe):
    with pytest.raises(AxisError, match="--budget"):
        observe("Unread", deadline=time.monotonic() + 20)


def test_under_strict_a_missing_layer_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("efficiency360.engine.remote.EVERY_LAYER", ("a moat",))
    monkeypatch.setattr("efficiency360.engine.wall.Plan.promised", frozenset({"a moat"}))
    request = request_subject("zoo:digits_transformer", SubjectOptions())
    with pytest.raises(InputError, match="does not give a moat"):
        Worker(tmp_path / "run.log", strict=True).load(request)
    worker = Worker(tmp_path / "run.log")
    assert worker.load(request).num_classes == 10
    assert set(ALWAYS) < set(worker.isolation)
    assert worker.missing == ("a moat",)
    worker.close()


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_ask_the_command_to_end_leave_nothing_behind(tmp_path, number):
    model, temporary = tmp_path / "loop.py", tmp_path / "tmp"
    model.write_text("open('here', 'w').close()\nwhile True: pass")
    temporary.mkdir()
    command = [sys.executable, "-m", "efficiency360", "audit", f"{model}:make", "--out", "out", "--input", "1x8x8"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    heeded = partial(signal.signal, number, signal.SIG_DFL)  # nohup ignores one, and what it starts inherits that
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heeded,  # noqa: PLW1509 - no threads run here
    ) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and not list(temporary.glob("*/here")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert err.splitlines()[-1].startswith("e360: interrupted")
    assert "Traceback" not in err
    assert not list(temporary.iterdir())
