"""Running `e360` as a user does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that a failed command ends with."""
        lines = [line for line in self.err.splitlines() if line.startswith("e360: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err + self.out
        return lines[0]


Run = Callable[..., Answer]


@pytest.fixture
def e360(tmp_path: Path) -> Run:
    """Run a command in an empty folder."""

    def run(*arguments: object) -> Answer:
        command = [sys.executable, "-m", "efficiency360", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def tiny_arch(tmp_path: Path) -> str:
    """A factory file with small classifiers for (N, 3, 8, 8), well-behaved and not."""
    path = tmp_path / "nets.py"
    path.write_text(
        """
import os, signal, time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, answer=lambda logits: logits, k=2):
        super().__init__()
        self.fc = nn.Linear(192, k)
        self.answer = answer
    def forward(self, x):
        return self.answer(self.fc(x.flatten(1)))

def good(): return Net()
def nan(): return Net(lambda y: y * float('nan'))
def tuple_(): return Net(lambda y: (y, y))
def dict_(): return Net(lambda y: {'logits': y, 'features': y})
def text(): return Net(lambda y: 'a cat')
def three_dims(): return Net(lambda y: y[:, None])
def not_a_module(): return 3
def broken(): raise RuntimeError("no such thing")

class Killed(Net):
    def forward(self, x):
        if len(x) > 2 or self.fc.weight.device.type == 'meta':
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)
def killed(): return Killed()

class Sleepy(Net):
    def forward(self, x):
        if len(x) > 2:
            time.sleep(60)
        return super().forward(x)
def sleepy(): return Sleepy()
"""
    )
    return f"{path}:"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two class folders of four 8 x 8 images."""
    rng = np.random.default_rng(0)
    for index in range(8):
        path = tmp_path / "images" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"
