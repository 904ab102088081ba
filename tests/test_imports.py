"""What the quick commands must never import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[1] / "reports" / "digits-demo"
PROGRAM = """
import sys
from efficiency360.cli.app import run
arguments = {arguments}
run(arguments)
slow = ("torch", "torchvision", "timm", "fvcore", "sklearn", "scipy")
slow += () if arguments[0] in ("report", "gallery") else ("vl_convert",)
heavy = [name for name in slow if name in sys.modules]
sys.exit(f"imported {{heavy}}" if heavy else 0)
"""


@pytest.fixture(scope="module")
def scorecard(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery") / "card"
    return shutil.copytree(KEPT, folder)


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "audit --help",
        "list",
        "gate CARD",
        "report CARD",
        "gate CARD --audit quick",
        "gallery GALLERY",
        "history GALLERY",
        "search --example",
    ],
)
def test_a_quick_command_imports_nothing_heavy(command, scorecard):
    places = {"CARD": str(scorecard), "GALLERY": str(scorecard.parent)}
    arguments = [places.get(word, word) for word in command.split()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, efficiency360; sys.exit('torch' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
