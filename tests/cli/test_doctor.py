"""`e360 doctor`, as a user sees it."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.console import Console

from efficiency360.cli.doctor import show
from efficiency360.engine.doctor.lines import Diagnosis, Line, Mark, Section

LONG = "a processor with a long name and a sensor that hides behind a wall " * 2
DIAGNOSIS = Diagnosis(
    (
        Section("Machine", (Line(Mark.OK, "processor", LONG), Line(Mark.NOTE, "cuda", "none"))),
        Section("Sensors", (Line(Mark.MISSING, "energy", "[red]no\x1b[31m counter", "Audits leave energy out."),)),
    )
)


@pytest.fixture
def shown():
    """Show a diagnosis at a width."""

    def run(diagnosis, width=80):
        console = Console(file=io.StringIO(), width=width)
        show(diagnosis, console)
        return console.file.getvalue()

    return run


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Put a broken package before the real one."""

    def run(name, code):
        folder = tmp_path / "broken"
        folder.mkdir()
        (folder / f"{name}.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return run


@pytest.mark.slow
def test_this_machine_can_be_audited(e360):
    answer = e360("doctor")
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert "Audits can run here." in answer.out
    for name in ("torch ", "torchvision", "processor", "cores", "memory", "cpu ", "timer", "energy", "in place"):
        assert f"  {name}" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_a_broken_torch_is_a_line_and_exit_code_3_and_the_machine_is_shown_all_the_same(e360, broken):
    broken("torch", "raise ImportError('libcudart.so: cannot open shared object file')")
    answer = e360("doctor")
    assert answer.code == 3
    assert "libcudart.so" in answer.complaint
    assert "-m pip install --force-reinstall torch torchvision" in answer.complaint
    assert "processor" in answer.out
    assert "Audits can run here" not in answer.out


def test_a_torch_that_crashes_is_a_line_too(e360, broken):
    broken("torch", "import os; os.abort()")
    answer = e360("doctor")
    assert answer.code == 3
    assert "torch" in answer.complaint
    assert "SIGABRT" in answer.complaint


def test_a_broken_numpy_is_told_although_the_rest_of_e360_rests_on_it(e360, broken):
    broken("numpy", "raise ImportError('built for another Python')")
    answer = e360("doctor")
    assert answer.code == 3
    assert "numpy" in answer.complaint
    assert "they need numpy" in " ".join(answer.out.split())


def test_the_command_itself_imports_nothing_heavy(broken):
    broken("torch", "raise ImportError('so that this is quick')")
    program = (
        "import sys; from efficiency360.cli.app import run; run(['doctor'])\n"
        "print([name for name in ('torch', 'timm', 'scipy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_mark_word_and_advice_is_there_and_lines_keep_to_the_width(shown, width):
    text = shown(DIAGNOSIS, width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert LONG.strip() in words
    for mark in ("ok processor", "note cuda none", "missing energy", "-> Audits leave energy out."):
        assert mark in words
    assert "Missing (above is what follows): energy." in words


def test_words_from_outside_are_shown_as_they_are_and_move_no_cursor(shown):
    text = shown(DIAGNOSIS)
    assert "[red]no" in text
    assert "\x1b" not in text


def test_where_nothing_is_missing_it_says_so(shown):
    healthy = Diagnosis((Section("Machine", (Line(Mark.OK, "cpu", "fast"),)),))
    assert shown(healthy).rstrip().endswith("Audits can run here. Nothing is missing.")


def test_where_an_audit_cannot_run_it_does_not_say_that_it_can(shown):
    assert "can run" not in shown(Diagnosis(DIAGNOSIS.sections, "torch is not installed"))
