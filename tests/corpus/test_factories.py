"""Model code that tries to win, to break out or to break the audit never passes, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import tempfile
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from efficiency360.cli.app import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SOURCE = Path(__file__).parent / "hostile_factories.py"
NAMES = re.findall(r"^def ([a-z]\w+)\(", SOURCE.read_text(), re.MULTILINE)
HONEST = [name for name in NAMES if name.startswith("honest")]
HELPERS = {"touch", "fake"}
HOSTILE = [name for name in NAMES if name not in {*HONEST, *HELPERS}]
STRANGE = {
    "random_answers",
    "random_by_system",
    "random_by_time",
    "drifts",
    "turns_bad",
    "remembers_images",
    "changes_its_input",
    "depends_on_the_batch",
    "trains_itself",
    "reseeds",
    "changes_later",
}
"""These must be found out: by a caveat, or by an axis that fails."""
HARMLESS = {"reseeds", "changes_its_input", "trains_itself", "changes_dtype", "drifts"}
"""Right on every image, whatever else they do: they may pass, with a caveat."""
HIDDEN = {"hides_weights_in_numpy"}
"""Only one number of these weights reaches torch; what ran beside the audit's own code is said of every number."""
ENDLESS = {"never_ends", "never_ends_while_loading"}
ODD = re.compile(
    r"subject\.(nondeterministic|stateful|changes_input|trains|reseeds|batch_dependent|behaviour_unknown)"
    r"|accuracy\.answers_change"
)
STRAY = (Path("/tmp/e360-corpus-marker"), Path("/var/tmp/e360-corpus-marker"))  # noqa: S108 - the factories try these

RULES = """
title = "Gate"
[axes.cost]
[axes.accuracy]
[[rules]]
id = "right"
measurement = "accuracy.top1"
at_least = 0.9
rationale = "It must be right."
[[rules]]
id = "small"
measurement = "cost.params"
at_most = 5000
rationale = "It must be small."
"""


@dataclass(frozen=True)
class Outcome:
    """What an audit of a factory did."""

    code: int
    out: str
    err: str
    card: dict[str, Any] | None
    took_s: float

    @property
    def caveats(self) -> set[str]:
        """The ids of all caveats."""
        if self.card is None:
            return set()
        of_axes = [caveat for axis in self.card["axes"] for caveat in axis["caveats"]]
        return {caveat["id"] for caveat in (*of_axes, *self.card["subject"]["caveats"])}

    @property
    def failed(self) -> set[str]:
        """The axes that failed."""
        return {axis["id"] for axis in self.card["axes"] if axis["status"] == "failed"} if self.card else set()


@pytest.fixture(autouse=True)
def listeners() -> Iterator[dict[str, Any]]:
    """Sockets that hear whatever gets out."""
    folder = tempfile.mkdtemp(prefix="e3", dir="/tmp")
    tcp, udp, unix = socket.socket(), socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)
    with tcp, udp, unix:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        unix.bind(f"{folder}/s")
        for one in (tcp, unix):
            one.listen()
        for one in (tcp, udp, unix):
            one.setblocking(False)
        yield {
            "port": tcp.getsockname()[1],
            "path": f"{folder}/s",
            "all": (tcp.accept, unix.accept, lambda: udp.recv(9)),
        }
    (Path(folder) / "s").unlink()
    Path(folder).rmdir()


@pytest.fixture
def audited(
    tmp_path: Path, listeners: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Audit a factory as a user would, with images that it could be right on."""
    labels = np.arange(40) % 2
    images = np.random.default_rng(0).integers(0, 60, (40, 8, 8)) + 160 * labels[:, None, None]
    np.savez(tmp_path / "data.npz", images=images.astype(np.uint8), labels=labels)
    (tmp_path / "gate.toml").write_text(RULES)
    (tmp_path / "work").mkdir()
    source = SOURCE.read_text()
    for key, value in {
        "MARKER": tmp_path / "marker",
        "PORT": listeners["port"],
        "SOCKET": listeners["path"],
        "DATA": tmp_path / "data.npz",
    }.items():
        source = source.replace(f"CORPUS_{key}", str(value))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "nets.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "work"))
    monkeypatch.setenv("E360_SECRET_TOKEN", "CORPUS-SECRET")

    def audit(name: str, *options: str) -> Outcome:
        began = time.monotonic()
        words = ["audit", f"{tmp_path}/code/nets.py:{name}", "--input", "1x8x8", "--data", "data.npz", "--out", "out"]
        code = run([*words, "--audit", "gate.toml", "--threads", "1", *(options or ("--budget", "40s"))])
        took_s = time.monotonic() - began
        said = capsys.readouterr()
        file = tmp_path / "out" / "scorecard.json"
        return Outcome(code, said.out, said.err, json.loads(file.read_text()) if file.exists() else None, took_s)

    return audit


def _left_running(folder: Path) -> list[str]:
    """Processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(process.joinpath("cwd").readlink()).startswith(str(folder)) and int(process.name) != os.getpid():
                state = (process / "stat").read_bytes().rpartition(b")")[2].split()[0]
                found += [process.name] if state != b"Z" else []
    return found


def _check_manners(outcome: Outcome, tmp_path: Path, listeners: dict[str, Any]) -> None:
    """Nothing got out, nothing is left, and the user is told in words."""
    said = outcome.out + outcome.err
    assert "Traceback (most" not in outcome.err.replace("e360: all right Traceback (most recent call last)", "")
    assert "internal error" not in outcome.err, outcome.err
    assert {char for char in said if unicodedata.category(char) in {"Cc", "Cf", "Cs"}} <= {"\n"}
    assert max(map(len, said.splitlines())) < 10_000
    assert not (tmp_path / "marker").exists()
    assert not (tmp_path / "marker").is_symlink()
    assert not any(path.exists() for path in STRAY)
    assert "CORPUS-SECRET" not in said
    for heard in listeners["all"]:
        with pytest.raises(BlockingIOError):
            heard()
    until = time.monotonic() + 3
    while (left := _left_running(tmp_path / "work")) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left
    assert not list((tmp_path / "work").iterdir()), "a private folder was left behind"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_factory_does_not_pass_and_leaves_nothing_behind(
    name: str, audited: Callable[..., Outcome], tmp_path: Path, listeners: dict[str, Any]
) -> None:
    outcome = audited(name, *(("--budget", "10s") if name in ENDLESS else ()))
    _check_manners(outcome, tmp_path, listeners)
    assert outcome.took_s < 60
    assert outcome.code in ((0, 1, 2, 3) if name in HARMLESS | HIDDEN else (1, 2, 3)), outcome.out
    if outcome.code == 0:
        assert "self_reported" in outcome.caveats
    if name in STRANGE and outcome.code != 2:
        assert outcome.failed or any(map(ODD.fullmatch, outcome.caveats)), outcome.caveats
    if outcome.code == 2:
        assert outcome.err.splitlines()[-1].startswith("e360: ")
        assert outcome.card is None


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_factory_passes(
    name: str, audited: Callable[..., Outcome], tmp_path: Path, listeners: dict[str, Any]
) -> None:
    outcome = audited(name)
    _check_manners(outcome, tmp_path, listeners)
    assert outcome.code == 0, outcome.out + outcome.err
    assert not outcome.failed
    assert not any(map(ODD.fullmatch, outcome.caveats)), outcome.caveats


def test_enough_factories_are_hostile_and_enough_are_honest() -> None:
    assert len(HOSTILE) >= 20
    assert len(HONEST) >= 9
