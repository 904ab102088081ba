"""Audit a network that is already in memory, on arrays that are already in memory, and act on the verdict.

Run: python examples/audit_a_module.py
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import efficiency360
from efficiency360.dataset import Dataset, from_arrays


class BrightOrDark(nn.Module):
    """A classifier of (N, 1, 8, 8) images into dark (0) and bright (1), by their mean."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 2)."""
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)


def make_data(n: int) -> Dataset:
    """Make `n` grey 8 x 8 images, every other one bright; noise makes a few of them hard."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    images = np.clip(rng.normal(110 + 35 * labels[:, None, None], 60, (n, 8, 8)), 0, 255).astype(np.uint8)
    return from_arrays(images, labels, name="bright or dark")


def main() -> None:
    """Print what was measured, and why the verdict is what it is."""
    card = efficiency360.audit(BrightOrDark(), make_data(400), threads=1)
    for axis in card.axes:
        for measurement in axis.measurements:
            print(f"{measurement.label:<40}{measurement.value:>12.4g}  {measurement.unit}")
    print(f"verdict: {card.verdict.outcome} ({'; '.join(card.verdict.reasons)})")


if __name__ == "__main__":
    main()
