"""Small models with known robustness; every attack goes through the same call."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from efficiency360.numerics.attacks import sweep, without_parameter_gradients


class Linear:
    """logits = W x + b, whose smallest perturbations are known exactly while no pixel meets 0 or 1."""

    def __init__(self, classes=6, n=24, shape=(2, 6, 6), spread=0.1, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.module = nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes)).eval()
        weight = torch.randn((classes, shape[0] * shape[1] * shape[2]), generator=generator)
        self.module[1].weight.data = weight
        self.module[1].bias.data.zero_()
        self.images = 0.5 + spread * (torch.rand((n, *shape), generator=generator) - 0.5)
        with torch.no_grad():
            self.labels = self.module(self.images).argmax(1)

    def distances(self, norm):
        """(N,) the exact distance of each image to the nearest other class."""
        weight = self.module[1].weight.detach().double()
        logits = self.images.double().flatten(1) @ weight.T
        order = 1 if norm == "Linf" else 2
        apart = torch.linalg.vector_norm(weight[None] - weight[self.labels][:, None], order, dim=2)
        gaps = logits.gather(1, self.labels[:, None]) - logits
        return (gaps / apart.clamp(min=1e-12)).scatter(1, self.labels[:, None], torch.inf).amin(1)

    def chunks(self, size=1000):
        """The images as a source."""
        for at in range(0, len(self.images), size):
            part = slice(at, at + size)
            yield range(at, at + len(self.images[part])), self.images[part], self.labels[part]


def run(module, source, specs, norm, eps, **options):
    """`sweep` in the context that it asks for."""
    with without_parameter_gradients(module):
        return sweep(module, source, specs, norm, eps, **options)


@pytest.fixture(scope="session")
def linear():
    return Linear


@pytest.fixture(scope="session")
def swept():
    return run


@pytest.fixture(scope="session")
def digits():
    """A small CNN trained on scikit-learn's digits for a few seconds, and held-out images (200, 1, 8, 8)."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        data = load_digits()
        images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 16
        labels = torch.tensor(data.target)
        module = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip
        optimiser = torch.optim.Adam(module.parameters(), 2e-3)
        for _ in range(6):
            for rows in torch.randperm(1500).split(50):
                loss = nn.functional.cross_entropy(module(images[rows]), labels[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return module.eval(), images[1500:1700], labels[1500:1700]
