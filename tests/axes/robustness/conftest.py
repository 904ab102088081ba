"""A linear model, of which is known how far every image is from the border, and audits of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import efficiency360
from efficiency360.dataset import from_arrays

SIDE, N = 8, 80
ATTACK = {"attacks": ["quick"], "corruptions": [], "eps": [0.02, 0.1]}


class Linear(nn.Module):
    """Two classes by the sign of a weighted sum of pixels; `change` spoils its logits."""

    def __init__(self, change=lambda logits: logits):
        super().__init__()
        rng = np.random.default_rng(0)
        self.weight = nn.Parameter(torch.tensor(rng.normal(size=SIDE * SIDE), dtype=torch.float32))
        self.change = change

    def forward(self, x):
        score = ((x - 0.5).flatten(1) * self.weight).sum(dim=1)
        return self.change(torch.stack([-score, score], dim=1))


class Record:
    """The axis's record of an audit, by what tests ask."""

    def __init__(self, card):
        self.card = card
        self.record = card.axis("robustness")

    def numbers(self, name="robustness.adversarial_accuracy"):
        return [one for one in self.record.measurements if one.name == name]

    @property
    def caveats(self):
        return {caveat.id: caveat for caveat in self.record.caveats}

    @property
    def worst(self):
        return {caveat.severity for caveat in self.record.caveats}


@pytest.fixture(scope="session")
def linear():
    return Linear


@pytest.fixture(scope="session")
def data():
    """Images far from black and white, so that the ball is never cut off; labels as the model has them, some wrong."""
    rng = np.random.default_rng(1)
    images = rng.uniform(0.3, 0.7, (N, SIDE, SIDE)).astype(np.float32)
    labels = (((images - 0.5).reshape(N, -1) @ Linear().weight.detach().numpy()) > 0).astype(int)
    labels[:4] = 1 - labels[:4]
    return from_arrays(images, labels)


@pytest.fixture(scope="session")
def audit():
    """The record of an audit of a module on data, whatever came of it."""

    def audited(module, data, **settings):
        chosen = {"robustness": {**ATTACK, **settings}}
        axes = ["accuracy", "robustness"]
        shape = {"input": (1, SIDE, SIDE)} if data.arrays is None or data.arrays.ndim == 3 else {}
        return Record(efficiency360.audit(module, data, axes=axes, settings=chosen, threads=1, **shape))

    return audited


@pytest.fixture(scope="session")
def robustness(audit):
    """The same, where the axis was measured."""

    def measured(module, data, **settings):
        found = audit(module, data, **settings)
        assert found.record.status == "measured", found.record.reason
        return found

    return measured


@pytest.fixture(scope="session")
def digits_cnn():
    """A small CNN with batch normalisation, trained for a moment, and held-out digits (200, 8, 8)."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, SIDE, SIDE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10),
        )  # fmt: skip
        optimiser = torch.optim.Adam(module.parameters(), 3e-3)
        given, wanted = torch.from_numpy(images[:1500, None]), torch.from_numpy(labels[:1500])
        for _ in range(5):
            for rows in torch.randperm(1500).split(50):
                optimiser.zero_grad()
                nn.functional.cross_entropy(module(given[rows]), wanted[rows]).backward()
                optimiser.step()
    return module.eval(), from_arrays(images[1500:1700], labels[1500:1700])
