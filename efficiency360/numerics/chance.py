"""The global generators of random numbers: ours are passed in, but a model's own code may draw from these."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


def seed_all(seed: int) -> None:
    """Set the seeds of random, numpy and torch; `seed` is from 0 to 2**32 - 1."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - see above
    torch.manual_seed(seed)


@contextmanager
def same_chance() -> Iterator[None]:
    """Leave the generators of random and numpy as they were; `torch.random.fork_rng` does so for torch's."""
    python, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - see above
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)  # noqa: NPY002 - see above
