"""Small subjects and data for whole audits."""

from __future__ import annotations

import numpy as np
import pytest

from efficiency360.dataset import from_arrays


@pytest.fixture
def two_tones():
    """Forty 8 x 8 grey images: class 0 is dark, class 1 is bright."""
    labels = np.arange(40) % 2
    images = np.random.default_rng(0).integers(0, 60, (40, 8, 8)) + 160 * labels[:, None, None]
    return from_arrays(images.astype(np.uint8), labels, name="tone")


@pytest.fixture
def tone_file(tmp_path):
    """A factory file: a perfect classifier of `two_tones` and some that misbehave."""
    path = tmp_path / "tones.py"
    path.write_text(
        """
import os, sys
from torch import nn, stack

class Tone(nn.Module):
    def forward(self, x):
        mean = x.mean(dim=(1, 2, 3))
        return stack([0.5 - mean, mean - 0.5], dim=1)

class Talkative(Tone):
    def forward(self, x):
        print("standard output", sorted(os.environ), os.getcwd(), sys.stdin.read())
        print("standard error", file=sys.stderr)
        return super().forward(x)

class Upside(Tone):
    def forward(self, x):
        return -super().forward(x)

tone, talkative, upside = Tone, Talkative, Upside
"""
    )
    return path
