"""Private training of a linear classifier on features that stay as they are, many trainings at once.

The gradient of the cross-entropy of one image with features x and errors e = softmax(W x) - onehot(y) is the outer
product of e and x, so its length is |e| |x|: clipping needs no gradient of a single image in memory, and all trainings
share one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from efficiency360.numerics.private.recipe import Recipe, Run

_CELLS = 1 << 22
"""Errors in memory at once: of how many images depends on the trainings and classes."""
_DENSE = 0.2
"""From this rate on it is cheaper to weigh all images than to gather those that are taken."""


@dataclass
class Trail:
    """What a training did, to be held against what the accountant was told; one number a training in each (R,).

    `taken`: images in all steps; `longest`: the largest length of a gradient in a sum, after clipping; `noise`: the
    sum of squares of what was added to the sums, over `clip`; `cells`: how many numbers that was added to.
    """

    taken: Tensor
    longest: Tensor
    noise: Tensor
    cells: int = 0

    @classmethod
    def none(cls, *runs: int) -> Trail:
        """That of trainings that have done nothing yet."""
        zeros = [torch.zeros(runs, dtype=torch.float64) for _ in range(3)]
        return cls(zeros[0], zeros[1], zeros[2])


@dataclass(frozen=True)
class Trained:
    """Weights (R, K, D) of R trainings, and what each did."""

    weights: Tensor
    trail: Trail


@dataclass(frozen=True)
class _Chance:
    """Random numbers of the trainings of one seed, the same whatever their noise multiplier: they can be paired."""

    generator: torch.Generator

    def taken(self, recipe: Recipe) -> Tensor:
        return torch.rand(recipe.n, generator=self.generator) < recipe.rate

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=self.generator)


def normalised(features: Tensor) -> Tensor:
    """Features (N, D) of images -> (N, D + 1), each image by itself: centred over D, of length 1, and a 1 for the bias.

    Statistics of the training images would leak, and would have to be paid for; this takes none.
    """
    centred = features.float() - features.float().mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    return torch.cat([centred / length, torch.ones_like(length)], dim=1)


def train(  # noqa: PLR0913, PLR0917 - data, classes, how, how often
    x: Tensor,
    y: Tensor,
    classes: int,
    recipe: Recipe,
    runs: Sequence[Run],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Trained:
    """Train one linear classifier for each run, from weights of 0; runs of one seed take the same images and noise.

    Args:
        x: features (n, D) float32, a constant among them if there is to be a bias.
        y: classes (n,) int64 from 0 to `classes` - 1.
        classes: K.
        recipe: what all trainings share.
        runs: the trainings, every seed with the same noise multipliers, seeds outermost; without privacy a training
            neither clips nor adds noise, for a step of length 1 never overshoots on normalised features.
        progress: called with steps done and steps in all.

    Raises:
        ValueError: the runs are not a full table of seeds and noise multipliers, or `x` is not of `recipe.n` images.
    """
    seeds = list(dict.fromkeys(run.seed for run in runs))
    sigmas = [run.sigma for run in runs[: len(runs) // max(len(seeds), 1)]]
    if [(run.seed, run.sigma) for run in runs] != [(seed, sigma) for seed in seeds for sigma in sigmas]:
        raise ValueError("every seed needs the same noise multipliers in the same order")
    if len(x) != recipe.n or len(y) != recipe.n:
        raise ValueError(f"features of {len(x)} images, labels of {len(y)}, for {recipe.n}")
    state = _State(x, y, recipe, sigmas, [torch.Generator().manual_seed(seed) for seed in seeds], classes)
    for step in range(recipe.steps):
        state.step()
        progress(step + 1, recipe.steps)
    return state.trained()


@dataclass
class _State:
    """Weights and velocities (S, E, K, D) of S seeds and E noise multipliers, between steps."""

    x: Tensor
    y: Tensor
    recipe: Recipe
    sigmas: list[float | None]
    generators: list[torch.Generator]
    classes: int
    weights: Tensor = field(init=False)
    velocity: Tensor = field(init=False)
    trail: Trail = field(init=False)

    def __post_init__(self) -> None:
        """Start from 0."""
        runs = (len(self.generators), len(self.sigmas))
        self.weights = self.x.new_zeros(*runs, self.classes, self.x.shape[1])
        self.velocity = torch.zeros_like(self.weights)
        self.trail = Trail.none(*runs)
        private = [sigma is not None for sigma in self.sigmas]
        self.limits = self.x.new_tensor([self.recipe.clip if one else torch.inf for one in private])
        self.scales = self.x.new_tensor([(sigma or 0.0) * self.recipe.clip for sigma in self.sigmas])

    def step(self) -> None:
        """Take one step of all trainings."""
        chances = [_Chance(generator) for generator in self.generators]
        taken = torch.stack([chance.taken(self.recipe) for chance in chances]).to(self.x.device)
        sums = self._sums(taken)
        noise = torch.stack([chance.noise((self.classes, self.x.shape[1])) for chance in chances]).to(self.x.device)
        noisy = sums + self.scales[:, None, None] * noise[:, None]
        self._note(taken, noisy - sums)
        self.velocity = self.recipe.momentum * self.velocity + noisy / self.recipe.expected
        self.weights = self.weights - self.recipe.learning_rate * self.velocity

    def _sums(self, taken: Tensor) -> Tensor:
        """Sums (S, E, K, D) of clipped gradients over the images that each seed takes, (S, n)."""
        if self.recipe.rate >= _DENSE:
            return self._summed(slice(None), slice(None), taken)
        parts = []
        for seed in range(len(taken)):
            rows = taken[seed].nonzero()[:, 0]
            parts.append(self._summed(slice(seed, seed + 1), rows, taken[seed : seed + 1, rows]))
        return torch.cat(parts)

    def _summed(self, seeds: slice, rows: slice | Tensor, taken: Tensor) -> Tensor:
        x, y, weights = self.x[rows], self.y[rows], self.weights[seeds]
        sums = torch.zeros_like(weights)
        size = max(1, _CELLS // (weights.numel() // x.shape[1]))
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            clipped, lengths = clipped_errors(x[part], y[part], weights, self.limits, taken[:, part])
            sums += torch.einsum("nsek,nd->sekd", clipped, x[part])
            longest = self.trail.longest[seeds]
            torch.maximum(longest, lengths.amax(dim=0).to(longest), out=longest)
        return sums

    def _note(self, taken: Tensor, added: Tensor) -> None:
        self.trail.taken += taken.sum(dim=1, keepdim=True).to(self.trail.taken)
        self.trail.noise += (added / self.recipe.clip).square().sum(dim=(2, 3)).to(self.trail.noise)
        self.trail.cells += self.classes * self.x.shape[1]

    def trained(self) -> Trained:
        """What came out, in the order of the runs."""
        trail = self.trail
        flat = Trail(trail.taken.flatten(), trail.longest.flatten(), trail.noise.flatten(), trail.cells)
        return Trained(self.weights.flatten(0, 1), flat)


def clipped_errors(x: Tensor, y: Tensor, weights: Tensor, limits: Tensor, taken: Tensor) -> tuple[Tensor, Tensor]:
    """Errors of images, scaled so that no gradient is longer than its limit; 0 for images that are not taken.

    Args:
        x: features (N, D).
        y: classes (N,).
        weights: (S, E, K, D).
        limits: the largest length of a gradient, (E,); infinite for none.
        taken: whether each seed takes an image, (S, N).

    Returns:
        Errors (N, S, E, K), whose outer products with `x` are the clipped gradients, and their lengths (N, S, E).
    """
    runs = weights.shape[:-1]
    errors = (x @ weights.flatten(0, 2).T).view(len(x), *runs).softmax(dim=-1)
    errors[torch.arange(len(y)), ..., y] -= 1
    lengths = errors.norm(dim=-1) * x.norm(dim=-1)[:, None, None]
    scale = (limits / lengths.clamp_min(torch.finfo(x.dtype).tiny)).clamp_max(1) * taken.T[:, :, None]
    return errors * scale[..., None], lengths * scale


def answers(trained: Trained, x: Tensor) -> Tensor:
    """Logits (R, N, K) of the classifiers for features (N, D)."""
    return torch.einsum("nd,rkd->rnk", x, trained.weights)
