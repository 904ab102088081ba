"""`compare --interleaved` on the command line: what it refuses, what it shows, what it keeps, and how it ends."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from efficiency360.cli.interleaved import run
from efficiency360.errors import InputError, UndecidedError
from efficiency360.records import Caveat, Environment, Interval, SubjectRecord
from efficiency360.render.interleaved import show
from efficiency360.statistics.turns import Comparison, Interleaved, TimedSubject

OPTIONS = {
    "arch": [],
    "input": (3, 8, 8),
    "manifest": [],
    "threads": 1,
    "seconds": 0.5,
    "device": "cpu",
    "trust_code": False,
    "strict": False,
    "seed": 0,
    "out": None,
}


def compare(*subjects, **options):
    return run(list(map(str, subjects)), **{**OPTIONS, **options})


def workers_of(pid):
    """The processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent, _, group = status.read_text().rpartition(")")[2].split()[1:4]
        except OSError:
            continue
        if int(parent) == pid:
            found.append(int(group))
    return found


@pytest.fixture(autouse=True)
def _nothing_runs_on():
    before = set(workers_of(os.getpid()))
    yield
    assert set(workers_of(os.getpid())) <= before


@pytest.mark.slow
def test_the_same_model_twice_is_timed_in_turns_and_every_turn_is_kept(tiny_arch, tmp_path, capsys):
    assert compare(f"{tiny_arch}good", f"{tiny_arch}good", out=tmp_path / "out") == 0
    found = Interleaved.model_validate_json((tmp_path / "out" / "interleaved.json").read_text())
    assert [subject.label for subject in found.subjects] == ["nets.py:good", "nets.py:good (2)"]
    assert len(found.turns) == 2 * found.generations * found.turns_each
    assert min(turn.runs for turn in found.turns) >= 1
    assert all(caveat.id == "self_reported" for subject in found.subjects for caveat in subject.caveats)
    shown = capsys.readouterr().out
    assert "8 fresh processes of each" in shown
    assert "nets.py:good (2)" in shown
    assert (tmp_path / "out" / "run.log").exists()


@pytest.mark.parametrize(
    ("subjects", "options", "says"),
    [
        (["timm:resnet18"], {}, "two subjects or more"),
        (["timm:resnet18"] * 2, {"threads": 0}, "--threads must be"),
        (["timm:resnet18"] * 2, {"seconds": float("nan")}, "--seconds must be"),
        (["timm:resnet18"] * 2, {"seconds": -1.0}, "--seconds must be"),
        (["timm:resnet18"] * 2, {"seed": -1}, "--seed must be"),
        (["timm:resnet18"] * 3, {"arch": ["-", "-"]}, "--arch was given 2 times for 3 subjects"),
        (["timm:resnet18"] * 2, {"manifest": [Path("a"), Path("b"), Path("c")]}, "--manifest was given 3 times"),
        (["timm:resnet18", "absent.pt"], {}, "absent.pt"),
        (["timm:resnet18"] * 2, {"out": Path(__file__)}, "is a file; give a folder"),
    ],
)
def test_bad_usage_is_refused(subjects, options, says):
    with pytest.raises(InputError, match=says):
        compare(*subjects, **options)


def test_one_architecture_serves_all_and_a_dash_stands_for_none(tmp_path):
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"")
    with pytest.raises(InputError, match=r"weights\.pt"):
        compare("timm:resnet18", weights, arch=["-", "timm:resnet18"])
    with pytest.raises(InputError, match="timm:resnet18 is an architecture already; --arch timm:resnet34"):
        compare("timm:resnet18", weights, arch=["timm:resnet34"])


def test_a_subject_that_cannot_be_loaded_is_named(tiny_arch):
    with pytest.raises(InputError, match=r"nets\.py:broken .*no such thing"):
        compare(f"{tiny_arch}good", f"{tiny_arch}broken")


def test_a_subject_that_fails_while_it_is_timed_is_named_and_its_log_stays(tmp_path):
    file = tmp_path / "tiring.py"
    file.write_text(
        "from torch import nn\n"
        "class Tiring(nn.Module):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        self.calls += 1\n"
        "        if self.calls > 30: raise RuntimeError('worn out')\n"
        "        return x.flatten(1)[:, :2]\n"
        "class Fresh(Tiring):\n"
        "    def forward(self, x): return x.flatten(1)[:, :2]\n"
    )
    with pytest.raises(UndecidedError, match=r"^tiring\.py:Tiring: failed while .*worn out \(details in ") as caught:
        compare(f"{file}:Fresh", f"{file}:Tiring")
    log = Path(str(caught.value).rpartition("details in ")[2].rstrip(")"))
    assert log.is_file()
    log.unlink()
    log.parent.rmdir()


def _heed_interrupts():
    """A shell starts what it runs in the background with interrupts ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


SCRIPT = """
import sys
from efficiency360.cli.interleaved import run
try:
    run(sys.argv[1:], arch=[], input=(3, 8, 8), manifest=[], threads=1, seconds=600.0, device="cpu", trust_code=False,
        strict=False, seed=0, out=None)
except KeyboardInterrupt:
    sys.exit(42)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
@pytest.mark.parametrize("moment", ["Starting", "Measuring"])
def test_ctrl_c_leaves_no_process_running_while_they_load_nor_while_they_are_timed(tiny_arch, moment):
    command = [sys.executable, "-c", SCRIPT, f"{tiny_arch}good", f"{tiny_arch}good"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - nothing else runs here meanwhile
    ) as process:
        while not (line := process.stderr.readline()).startswith(moment):
            assert line, "it ended before it began"
        time.sleep(0.5)
        workers = workers_of(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 42
    assert len(workers) == 2
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def found(labels, ratios, *, caveats=()):
    """A record as an interleaved comparison makes it."""
    record = SubjectRecord(
        name="x", file=None, fingerprint=None, kind="k", arch=None, num_classes=2, input=(3, 224, 224)
    )
    environment = Environment(
        host="0" * 64,
        cpu="c",
        device="cpu",
        threads=2,
        platform="p",
        versions={},
        seeds={},
        isolation=(),
        started_at="s",
    )
    verdicts = {0.9: "faster", 1.0: "no difference shown", 1.1: "slower"}
    comparisons = tuple(
        Comparison(
            label=label,
            against=labels[0],
            ratio=ratio,
            interval=Interval(low=ratio - 0.02, high=ratio + 0.02, level=0.95, method="typical values"),
            could_show=0.02,
            verdict=verdicts[ratio],
        )
        for label, ratio in zip(labels[1:], ratios, strict=True)
    )
    subjects = tuple(
        TimedSubject(label=label, subject=record, latency_ms=1234.5, runs=9, caveats=caveats) for label in labels
    )
    return Interleaved(
        generations=8,
        turns_each=10,
        turn_s=0.1,
        seconds=50,
        environment=environment,
        subjects=subjects,
        comparisons=comparisons,
        caveats=caveats,
        turns=(),
    )


def screen(record, width=80):
    console = Console(file=io.StringIO(), width=width)
    show(record, console)
    return console.file.getvalue()


def test_each_verdict_is_said_in_words_with_its_numbers():
    shown = " ".join(screen(found(["old", "a", "b", "c"], [0.9, 1.0, 1.1])).split())
    assert "faster: a takes 10.0 % less time than old (8.0 to 12.0 %)." in shown
    assert "slower: b" not in shown
    assert "no difference shown: b and old take the same time as far as this can tell" in shown
    assert "a difference of about 2.0 % would have shown" in shown
    assert "slower: c takes 10.0 % more time than old (8.0 to 12.0 %)." in shown
    assert "(Bonferroni)" in shown
    assert "(Bonferroni)" not in screen(found(["old", "new"], [1.0]))


@pytest.mark.parametrize("width", [80, 120])
def test_names_and_caveats_from_outside_stay_plain_and_in_width(width):
    names = ["[bold red]x[/]", "\x1b[31mred\x07", "y" * 300, "犬" * 90]
    caveat = Caveat(id="c", severity="critical", text="\x1b]8;;https://evil.example\x07" + "z " * 100)
    shown = screen(found(names, [0.9, 1.0, 1.1], caveats=(caveat,)), width)
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    assert "\x1b" not in shown
    assert "[bold red]x[/]" in shown
    assert "0.880 to 0.920" in shown


def test_what_is_said_of_several_subjects_is_said_once():
    caveat = Caveat(id="self_reported", severity="warning", text="code ran beside it")
    assert screen(found(["a", "b"], [1.0], caveats=(caveat,))).count("code ran beside it") == 2
