"""Small networks whose explanations are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from efficiency360.numerics.attribution import Model


class Convolutional(nn.Module):
    """Two convolutions, a pool and a head."""

    def __init__(self, channels=3, classes=4):
        super().__init__()
        self.first = nn.Conv2d(channels, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.last = nn.ReLU()
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        features = self.last(self.second(torch.relu(self.first(x))))
        return self.head(features.mean(dim=(2, 3)))


@pytest.fixture
def convolutional():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Convolutional().eval()


@pytest.fixture
def images():
    return torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def classes():
    return torch.tensor([0, 1, 2, 3, 0])


@pytest.fixture
def asked():
    """A model to explain, of any module."""

    def make(module, **settings):
        return Model(module, module, **{"batch": 4, **settings})

    return make
