"""No file runs anything, crashes the audit, hangs it, or passes; each is refused in one line, with exit code 2."""

from __future__ import annotations

import contextlib
import os
import signal
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpus_entries import HOSTILE
from corpus_kit import MARKER, NET_SOURCE, Entry, Site

from efficiency360.cli.app import app, run
from efficiency360.engine.remote import Worker
from efficiency360.errors import AxisError, UndecidedError
from efficiency360.subject.load import load_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.request import SubjectRequest

pytestmark = pytest.mark.filterwarnings("ignore")

LONGEST_S = 60
LONGEST_LINE = 10_000
COMMANDS = {command.name for command in app.registered_commands}
IN_THE_WORKER = "the worker was asked"


def _parameters(*, slow: bool = True) -> list[Any]:
    """All entries; what ONNX Runtime reads is read in a process of its own, which takes its time."""
    found = []
    for name in HOSTILE:
        own_process = name.startswith("onnx_") and "external" not in name
        found.append(pytest.param(name, marks=[pytest.mark.slow] if own_process and slow else []))
    return found


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    def check(self) -> None:
        """No traceback, no bug that is passed on to the user, nothing that a terminal obeys, no flood."""
        said = self.out + self.err
        assert "Traceback" not in said
        assert "internal error" not in said, self.err
        assert {char for char in said if unicodedata.category(char) in {"Cc", "Cf", "Cs"}} <= {"\n"}
        assert max(map(len, said.splitlines()), default=0) < LONGEST_LINE, self.err[:300]

    def refusal(self) -> str:
        """The one line of a refusal."""
        self.check()
        complaints = [line for line in self.err.splitlines() if line.startswith("e360: ")]
        assert self.code == 2, (self.code, self.err[-600:])
        assert len(complaints) == 1, self.err
        assert self.err.splitlines()[-1] == complaints[0]
        assert all(line.endswith(" ...") for line in self.err.splitlines()[:-1]), self.err
        return complaints[0]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site").mkdir()
    return Site(tmp_path / "site", tmp_path / MARKER)


@pytest.fixture
def arch(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET_SOURCE)
    return f"{tmp_path / 'net.py'}:net"


@pytest.fixture(autouse=True)
def hurried() -> Iterator[None]:
    """Fail what does not end."""

    def late(*_: object) -> None:
        raise AssertionError(f"not done after {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do here what the worker does, as starting one takes seconds; ONNX files may crash it, so they get their own."""
    load = Worker.load

    def loaded(worker: Worker, request: SubjectRequest) -> SubjectInfo:
        return load(worker, request) if request.kind == "onnx" else load_subject(request)[1]

    def observed(*_: object) -> None:
        raise AxisError("nothing is observed in this test")

    monkeypatch.setattr(Worker, "load", loaded)
    monkeypatch.setattr(Worker, "observe", observed)


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop where the worker would be started."""

    def stopped(*_: object) -> None:
        raise UndecidedError(IN_THE_WORKER)

    monkeypatch.setattr(Worker, "load", stopped)


@pytest.fixture
def e360(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command in the entry's folder."""

    def command(*arguments: object) -> Answer:
        monkeypatch.chdir(site.folder)
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return command


def _audit(entry: Entry, path: Path, arch: str, site: Site) -> list[object]:
    """The arguments of an audit of an entry; an `--arch` without a value in its options leaves that out."""
    options = list(entry.options)
    named = [] if "--arch" in options else ["--arch", arch]
    if "--arch" in options:
        at = options.index("--arch")
        del options[at : at + 2]
    return ["audit", path, *named, *options, "--input", "1x8x8", "--axes", "cost", "--out", site.folder.parent / "out"]


@pytest.mark.parametrize("name", _parameters())
@pytest.mark.usefixtures("in_this_process")
def test_a_hostile_file_is_refused(name: str, site: Site, arch: str, e360: Any) -> None:
    entry = HOSTILE[name]
    path = entry.build(site)
    line = e360(*_audit(entry, path, arch, site)).refusal()
    assert not site.marker.exists()
    for word in entry.says:
        assert word in line
    assert not list((site.folder.parent / "out").glob("scorecard.json"))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.usefixtures("no_worker")
def test_nothing_runs_outside_the_worker_where_the_user_trusts_the_file(
    name: str, site: Site, arch: str, e360: Any
) -> None:
    entry = HOSTILE[name]
    path = entry.build(site)
    answer = e360(*_audit(entry, path, arch, site), "--trust-code")
    answer.check()
    assert not site.marker.exists()
    assert answer.code == (3 if IN_THE_WORKER in answer.err else 2), answer.err


@pytest.mark.skipif("inspect" not in COMMANDS, reason="this e360 has no inspect")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_can_be_looked_into(name: str, site: Site, e360: Any) -> None:
    path = HOSTILE[name].build(site)
    answer = e360("inspect", path)
    answer.check()
    assert not site.marker.exists()
    assert answer.code in (0, 2), (answer.code, answer.err)
    if answer.code == 2:
        answer.refusal()


@pytest.mark.usefixtures("no_worker")
def test_a_name_that_looks_like_an_option_can_be_given_behind_two_dashes(site: Site, arch: str, e360: Any) -> None:
    path = HOSTILE["name_like_an_option"].build(site)
    answer = e360("audit", "--arch", arch, "--input", "1x8x8", "--axes", "cost", "--out", "out", "--", path)
    assert IN_THE_WORKER in answer.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pickle_beside_os_system", "zip_wrong_checksum", "tensor_product_overflows"])
def test_the_worker_refuses_as_this_process_does(name: str, site: Site, arch: str, e360: Any) -> None:
    entry = HOSTILE[name]
    before = _children()
    line = e360(*_audit(entry, entry.build(site), arch, site)).refusal()
    assert "details in" not in line
    assert not site.marker.exists()
    assert _children() <= before


RUNS = [
    "pickle_alone_os_system",
    "pickle_alone_subprocess_popen",
    "pickle_legacy",
    "torchscript_setstate",
    "torchscript_writes_in_forward",
    "torchscript_tampered_code",
    "exported_sample_inputs",
    "exported_symbolic_expression",
    "exported_weights_by_pickle",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_what_a_trusted_file_runs_stays_behind_the_wall(name: str, site: Site, arch: str, e360: Any) -> None:
    entry = HOSTILE[name]
    path = entry.build(site)
    before = _children()
    answer = e360(*_audit(entry, path, arch, site), "--trust-code")
    answer.check()
    assert answer.code in (1, 2, 3), answer
    assert not site.marker.exists()
    assert _children() <= before


def _children() -> set[int]:
    """The processes that this one has started and that still run."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            state, parent = entry.read_bytes().rpartition(b")")[2].split()[:2]
            if int(parent) == os.getpid() and state != b"Z":
                found.add(int(entry.parent.name))
    return found
