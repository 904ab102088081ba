"""How a private training is done: everything that is fixed before the first image is seen."""

from __future__ import annotations

from dataclasses import dataclass

ADJACENCY = "add or remove one image"


@dataclass(frozen=True)
class Recipe:
    """Noisy clipped gradient descent (DP-SGD; Abadi et al. 2016, algorithm 1) over `n` images.

    Each of `steps` takes every image with probability `rate` on its own (Poisson sampling, as the accountant assumes),
    clips its gradient to length `clip`, adds Gaussian noise of standard deviation sigma x `clip` to their sum, and
    divides by `n` x `rate`, the number of images expected, which is no secret. `momentum` works on what comes out.
    """

    n: int
    steps: int
    rate: float
    clip: float
    learning_rate: float
    momentum: float

    @property
    def expected(self) -> float:
        """How many images a step takes on average."""
        return self.n * self.rate


@dataclass(frozen=True)
class Run:
    """One training: its `seed`, and the noise multiplier `sigma`; None trains without privacy."""

    seed: int
    sigma: float | None
