"""What the parent makes of a worker that lies: a failed axis or an undecided audit, and no word that is not its own."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from efficiency360.engine import answers, executors, remote
from efficiency360.engine.executors import join_pieces
from efficiency360.engine.host import Host
from efficiency360.engine.job import Observation
from efficiency360.engine.remote import Worker
from efficiency360.errors import AxisError, InputError, UndecidedError
from efficiency360.subject.request import SubjectOptions, request_subject

LIAR = """
import json, os, struct, sys, time

def write(data):
    while data:
        data = data[os.write(int(sys.argv[1]), data):]

def say(kind, arrays=(), raw=b"", **body):
    text = json.dumps({"kind": kind, "body": body, "arrays": list(arrays)}).encode()
    write(struct.pack("<I", len(text)) + text + raw)

def hear():
    size, = struct.unpack("<I", sys.stdin.buffer.read(4))
    return json.loads(sys.stdin.buffer.read(size))["body"]

record = dict(name="a", file=None, fingerprint=None, kind="k", arch=None, num_classes=2, input=[1, 8, 8], caveats=[])
info = dict(record=record, preprocess=dict(size=[8, 8], resize=None, channels=1), num_classes=2, class_names=None,
    differentiable=True, device="cpu", versions={})
say("walled", layers=[])
asked = hear()
"""
LOADED = LIAR + "say('loaded', **info); asked = hear()\n"


@pytest.fixture(autouse=True)
def _no_hang():
    """A parent that waits for ever fails the test."""

    def late(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def lying(tmp_path, monkeypatch):
    """A worker that runs a script in place of ours."""
    workers = []
    path = tmp_path / "made.py"
    path.write_text("def make(): pass")
    request = request_subject(f"{path}:make", SubjectOptions(input=(1, 8, 8)))

    def started(script, **options):
        popen = subprocess.Popen

        def ours(command, **how):
            return popen([sys.executable, "-c", script, command[-2]], **how)

        monkeypatch.setattr(remote.subprocess, "Popen", ours)
        worker = Worker(tmp_path / "run.log", **options)
        workers.append(worker)
        try:
            return worker, worker.load(request)
        finally:
            monkeypatch.setattr(remote.subprocess, "Popen", popen)

    yield started
    for worker in workers:
        worker.close()


@pytest.fixture
def observed(lying, two_tones):
    """What comes of an observation of which the worker says what a script says."""

    def run(script, **options):
        worker, _ = lying(LOADED + script, **options)
        return worker.observe(Observation("accuracy", {}, {"data": two_tones}))

    return run


@pytest.mark.parametrize(
    "script",
    [
        "while True: say('mark')",
        "while True: say('need', of='data', start=0, stop=40)",
        "while True: say('progress', done=1, total=2)",
        "while True: say('evidence')",
        "write(struct.pack('<I', 1 << 20))\nwhile True: write(b' '); time.sleep(0.1)",
    ],
)
def test_whatever_a_worker_does_the_budget_ends_it(observed, script):
    with pytest.raises(AxisError, match="--budget"):
        observed(script, deadline=time.monotonic() + 3)


def test_a_worker_that_reads_nothing_is_closed_at_once(lying, two_tones):
    worker, _ = lying(LOADED + "say('progress', done=0, total=1)\ntime.sleep(600)")

    def give_up(_done, _total):
        with pytest.raises(AxisError, match="--budget"):
            worker._pipe.send(many)
        raise KeyboardInterrupt

    many = answers.Message("images", {}, {"images": np.zeros(8 << 20, np.uint8)})
    worker._deadline = time.monotonic() + 1
    with pytest.raises(KeyboardInterrupt):
        worker.observe(Observation("accuracy", {}, {"data": two_tones}, progress=give_up))
    process = worker._process
    worker.close()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("done", "total"),
    [(2, 1), (-1, 1), (1.0, 2), (True, 2), ("1", 2), (None, 1), (1, 10**12), (10**4000, 10**4001), ([], {})],
)
def test_progress_that_is_none_is_refused(done, total):
    with pytest.raises(AxisError, match="is done"):
        answers.steps({"done": done, "total": total})
    assert answers.steps({"done": 0, "total": 0}) == (0, 0)


@pytest.mark.parametrize("what", [{"of": ["data"]}, {"of": "none"}, {"start": 0.0}, {"stop": 41}, {"start": None}, {}])
def test_images_that_are_none_are_refused(two_tones, what):
    asked = Observation("accuracy", {}, {"data": two_tones})
    body = {"of": "data", "start": 0, "stop": 40, **what} if what else {}
    with pytest.raises(AxisError, match="asked for images"):
        answers.wanted_images(asked, answers.Message("need", body))


@pytest.mark.parametrize("error", [RecursionError, OverflowError, struct.error, MemoryError, SystemError, KeyError])
def test_whatever_goes_wrong_over_an_answer_fails_the_axis_or_leaves_the_audit_undecided(
    lying, two_tones, monkeypatch, error
):
    def fail(*_):
        raise error("too much")

    monkeypatch.setattr(answers, "join_pieces", fail)
    worker, _ = lying(LOADED + "say('done')")
    with pytest.raises(AxisError, match=f"could not be understood .*{error.__name__}"):
        worker.observe(Observation("accuracy", {}, {"data": two_tones}))
    monkeypatch.setattr(remote, "subject_info", fail)
    with pytest.raises(UndecidedError, match=f"could not be understood .*{error.__name__}"):
        lying(LOADED)


class TestGathering:
    @pytest.fixture
    def gathering(self, monkeypatch):
        monkeypatch.setattr(answers, "_MOST_MESSAGES", 100)
        monkeypatch.setattr(answers, "_MOST_NAMES", 100)
        monkeypatch.setattr(answers, "MOST_EVIDENCE_BYTES", 100_000)
        return answers.Gathering(Host(), 1)

    def test_messages_have_an_end(self, gathering):
        for _ in range(100):
            gathering.count()
        with pytest.raises(AxisError, match="more than 100 messages"):
            gathering.count()

    def test_empty_evidence_takes_up_memory_too(self, gathering):
        for _ in range(90):
            gathering.add({"a": np.zeros(0)})
        with pytest.raises(AxisError, match="4 GB"):
            _ = [gathering.add({"a": np.zeros(0)}) for _ in range(10)]

    def test_marks_take_up_memory_too(self, gathering):
        for _ in range(24):
            gathering.mark()
        with pytest.raises(AxisError, match="4 GB"):
            gathering.mark()

    def test_names_have_an_end(self, gathering):
        with pytest.raises(AxisError, match="100 names"):
            gathering.add({f"{number}": np.zeros(0, "U1") for number in range(101)})

    @pytest.mark.parametrize("name", ["mark.package_j", "mark.left_s", "start_s"])
    def test_only_the_parent_says_when_something_was_timed(self, gathering, name):
        with pytest.raises(AxisError, match="of its own"):
            gathering.add({name: np.zeros(2)})

    def test_what_fits_comes_out_joined(self, gathering):
        gathering.add({"a": np.arange(2), "t": np.array(["x"])})
        gathering.add({"a": np.arange(3), "t": np.array(["long"])})
        gathering.mark()
        joined = gathering.joined()
        assert joined["a"].tolist() == [0, 1, 0, 1, 2]
        assert joined["t"].tolist() == ["x", "long"]
        assert len(joined["mark.left_s"]) == 1


@pytest.mark.parametrize(
    "pieces",
    [
        [np.array(["x" * 1_000_000]), np.zeros(10_000_000, "U1")],
        [np.broadcast_to(np.True_, 1 << 30), np.zeros(1)],
    ],
)
def test_pieces_that_grow_when_they_are_joined_are_refused_before_memory_is_asked_for(pieces, monkeypatch):
    monkeypatch.setattr(executors.np, "concatenate", lambda _: pytest.fail("they were joined"))
    with pytest.raises(AxisError, match="more than 4 GB"):
        join_pieces([{"z": piece} for piece in pieces])


def test_pieces_of_other_kinds_do_not_fit_together():
    with pytest.raises(AxisError, match="does not fit together"):
        join_pieces([{"z": np.zeros(1)}, {"z": np.zeros((1, 1))}])


@pytest.mark.parametrize(
    "change",
    [
        "record['caveats'] = [dict(id='x', severity='info', text='y')] * 101",
        "record['caveats'] = [dict(id='x', severity='info', text='y' * 2001)]",
        "record['caveats'] = [dict(id='x' * 101, severity='info', text='y')]",
        "info['class_names'] = ['x' * 1001, 'y']",
        "info['num_classes'] = 1_000_001",
        "info['num_classes'] = 0",
        "info['num_classes'] = 10**400",
        "info['preprocess']['mean'] = [0.5] * 1000",
        "info['preprocess']['size'] = [10**9, 8]",
        "info['preprocess']['resize'] = [0, 8]",
        "info['versions'] = {str(k): 'x' for k in range(21)}",
        "info['device'] = 'x' * 201",
        "info['device'] = '\\ud800'",
        "info = {}",
        "info['record'] = []",
    ],
)
def test_an_answer_to_loading_that_is_none_or_too_large_leaves_the_audit_undecided(lying, change):
    with pytest.raises(UndecidedError, match="could not be understood") as caught:
        lying(LIAR + f"{change}\nsay('loaded', **info)\ntime.sleep(60)")
    assert len(str(caught.value)) < 1000


def test_another_answer_to_loading_leaves_the_audit_undecided(lying):
    with pytest.raises(UndecidedError, match="could not be understood"):
        lying(LIAR + "say('evidence')\ntime.sleep(60)")


def test_what_the_subject_is_called_and_was_made_from_is_as_it_was_asked_for(lying):
    forged = "dict(name='resnet50', file='resnet50.pt', fingerprint='0' * 64, kind='safetensors', arch='timm:resnet50',"
    forged += " num_classes=9, input=[3, 1, 1], preprocess={'size': 'x'}, caveats=[dict(id='subject.factory_weights',"
    forged += " severity='info', text='Trained.'), dict(id='subject.trains', severity='critical', text='It trains.')])"
    _, info = lying(LIAR + f"info['record'] = {forged}\nsay('loaded', **info)\ntime.sleep(60)")
    record = info.record
    assert record.name.endswith("made.py:make")
    assert (record.file, record.fingerprint, record.kind, record.arch) == (None, None, "random weights", "made.py:make")
    assert (record.num_classes, record.input, record.preprocess["size"]) == (2, (1, 8, 8), [8, 8])
    assert [(caveat.id, caveat.severity) for caveat in record.caveats] == [
        ("subject.factory_weights", "warning"),
        ("subject.trains", "critical"),
    ]
    assert "what the factory's code made" in record.caveats[0].text


@pytest.mark.parametrize(
    ("message", "says"),
    [("'x' * 1_000_000 + '\\x1b[2J'", "xxx"), ("'a\\nb\\x1b[2J\\x07'", "a b [2J"), ("{'a': 1}", "no reason given")],
)
def test_the_workers_own_words_are_one_short_line(lying, observed, message, says):
    with pytest.raises(InputError, match=says.replace("[", r"\[")) as loading:
        lying(LIAR + f"say('error', message={message})\ntime.sleep(60)")
    with pytest.raises(AxisError, match=says.replace("[", r"\[")) as observing:
        observed(f"say('error', message={message})\ntime.sleep(60)")
    for caught in (loading, observing):
        assert len(str(caught.value)) <= 1000
        assert str(caught.value).isprintable()


def test_where_the_log_is_is_said_once(lying):
    with pytest.raises(UndecidedError, match="exit code 0") as caught:
        lying(LIAR + "sys.exit(0)")
    assert str(caught.value).count("run.log") == 1


def test_of_what_a_worker_prints_the_first_and_the_last_half_megabyte_are_kept(lying, tmp_path):
    log = tmp_path / "run.log"
    log.write_text("what was there\n")
    script = "os.ftruncate(1, 0); os.write(1, b'first' + b'x' * (3 << 20) + b'last'); say('loaded', **info); hear()"
    worker, _ = lying(LIAR + script)
    worker.close()
    kept = log.read_text()
    assert kept.startswith("what was there\nfirst")
    assert kept.endswith("last")
    assert f"{(2 << 20) + 9:,} bytes" in kept
    assert len(kept) < (1 << 20) + 200
