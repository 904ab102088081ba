"""A small search space, and candidates of it."""

from __future__ import annotations

import pytest

from efficiency360.search.analytic import cost_of
from efficiency360.search.constraints import parse_constraints
from efficiency360.search.score import Seen
from efficiency360.search.space import SearchSpace, key_of

SPACE = {
    "size": [8],
    "patch": [1, 2],
    "unit": [2],
    "head_width": [8],
    "stages": [1, 2],
    "depth": [1, 2],
    "width": [8, 12, 16],
    "mlp_ratio": [1, 2],
}
TRAINING = {"epochs": 2, "rungs": 2, "keep_one_of": 2, "batch": 64, "rate": 5e-3, "smoothing": 0.0, "flip": False}


@pytest.fixture(scope="session")
def made():
    """Make a search space from limits and other tables."""

    def make(limits=None, **tables):
        content = {"channels": 1, "limits": limits or {}, "space": SPACE, "training": TRAINING, **tables}
        return SearchSpace(parse_constraints(content, "constraints.toml"), 10)

    return make


@pytest.fixture(scope="session")
def space(made):
    return made()


@pytest.fixture(scope="session")
def seen():
    """A candidate as strategies see it; what is not given is in closed form."""

    def see(space, genome, **known):
        cost = cost_of(space.spec(genome))
        return Seen(genome, key_of(genome), cost.macs, cost.params, cost.memory_bytes, **known)

    return see
