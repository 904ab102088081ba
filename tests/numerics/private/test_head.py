"""Private training of a last layer against a loop of single images, and every way to forget a part of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from efficiency360.numerics.private import head
from efficiency360.numerics.private.recipe import Recipe, Run

N, WIDTH, CLASSES = 60, 7, 3


def data(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = head.normalised(torch.randn(N, WIDTH, generator=generator))
    return x, torch.randint(CLASSES, (N,), generator=generator)


def recipe(**changed):
    settings = {"n": N, "steps": 12, "rate": 0.5, "clip": 0.4, "learning_rate": 1.0, "momentum": 0.9, **changed}
    return Recipe(**settings)


def one_gradient(weights, x, y):
    """The gradient of one image, by autograd."""
    weights = weights.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(x[None] @ weights.T, y[None]), weights)
    return gradient


class TestAgainstALoop:
    def test_clipped_gradients_are_those_of_single_images(self):
        x, y = data()
        weights = torch.randn(2, 2, CLASSES, WIDTH + 1, generator=torch.Generator().manual_seed(3))
        limits = torch.tensor([0.4, torch.inf])
        taken = torch.rand(2, N, generator=torch.Generator().manual_seed(4)) < 0.5
        errors, lengths = head.clipped_errors(x, y, weights, limits, taken)
        for seed in range(2):
            for run in range(2):
                for image in range(N):
                    gradient = one_gradient(weights[seed, run], x[image], y[image])
                    gradient = gradient * min(1.0, float(limits[run] / gradient.norm())) * taken[seed, image]
                    assert torch.allclose(errors[image, seed, run, :, None] * x[image], gradient, atol=1e-6)
                    assert float(lengths[image, seed, run]) == pytest.approx(float(gradient.norm()), abs=1e-6)

    @pytest.mark.parametrize("rate", [0.5, 0.15], ids=["all images weighed", "images gathered"])
    def test_whole_trainings_are_those_of_a_loop(self, rate):
        x, y = data()
        how = recipe(rate=rate)
        runs = [Run(seed, sigma) for seed in (5, 6) for sigma in (0.7, None)]
        trained = head.train(x, y, CLASSES, how, runs)
        for run, weights in zip(runs, trained.weights, strict=True):
            assert torch.allclose(weights, looped(x, y, how, run), atol=1e-4)

    def test_many_images_at_once_or_few_make_no_difference(self, monkeypatch):
        x, y = data()
        runs = [Run(1, 0.7), Run(1, None)]
        before = head.train(x, y, CLASSES, recipe(), runs).weights
        monkeypatch.setattr(head, "_CELLS", 40)
        assert torch.allclose(head.train(x, y, CLASSES, recipe(), runs).weights, before, atol=1e-5)


def looped(x, y, how, run):
    """Algorithm 1 of Abadi et al. 2016, image by image, from the same random numbers."""
    generator = torch.Generator().manual_seed(run.seed)
    weights, velocity = torch.zeros(2, CLASSES, WIDTH + 1)
    for _ in range(how.steps):
        taken = torch.rand(how.n, generator=generator) < how.rate
        noise = torch.randn(CLASSES, WIDTH + 1, generator=generator)
        total = torch.zeros_like(weights)
        for image in taken.nonzero()[:, 0].tolist():
            gradient = one_gradient(weights, x[image], y[image])
            total += gradient if run.sigma is None else gradient / max(1.0, float(gradient.norm()) / how.clip)
        if run.sigma is not None:
            total += run.sigma * how.clip * noise
        velocity = how.momentum * velocity + total / (how.n * how.rate)
        weights = weights - how.learning_rate * velocity
    return weights


class TestWhatItSaysOfItself:
    def test_it_takes_as_many_images_as_the_rate_says(self):
        x, y = data()
        trail = head.train(x, y, CLASSES, recipe(steps=400, rate=0.25), [Run(seed, None) for seed in range(4)]).trail
        spread = (N * 400 * 0.25 * 0.75) ** 0.5
        assert ((trail.taken - N * 400 * 0.25).abs() < 5 * spread).all()

    def test_it_clips_what_is_private_and_nothing_else(self):
        x, y = data()
        private, free = head.train(x, y, CLASSES, recipe(), [Run(0, 0.1), Run(0, None)]).trail.longest.tolist()
        assert private == pytest.approx(0.4, rel=1e-5)
        assert free > 0.6

    def test_it_adds_as_much_noise_as_asked_for(self):
        x, y = data()
        trail = head.train(x, y, CLASSES, recipe(steps=300), [Run(0, 0.5), Run(0, 2.0), Run(0, None)]).trail
        assert trail.cells == 300 * CLASSES * (WIDTH + 1)
        assert (trail.noise / trail.cells).tolist() == pytest.approx([0.25, 4.0, 0.0], rel=0.06)


def test_every_image_is_normalised_by_itself():
    features = torch.randn(5, WIDTH) * torch.tensor([[1.0], [10], [0.1], [100], [1]]) + 3
    x = head.normalised(features)
    assert torch.allclose(x[2:3], head.normalised(features[2:3]))
    assert x.norm(dim=1).tolist() == pytest.approx([2**0.5] * 5)
    assert torch.isfinite(head.normalised(torch.ones(2, WIDTH))).all()


def test_trainings_of_one_seed_see_the_same_images_and_others_do_not():
    x, y = data()
    taken = head.train(x, y, CLASSES, recipe(), [Run(s, v) for s in (0, 1) for v in (1.0, None)]).trail.taken.tolist()
    assert taken[0] == taken[1]
    assert taken[0] != taken[2]


@pytest.mark.parametrize("runs", [[Run(0, 1.0), Run(0, None), Run(1, None), Run(1, 1.0)], [Run(0, 1.0), Run(1, 2.0)]])
def test_runs_that_cannot_be_paired_are_refused(runs):
    x, y = data()
    with pytest.raises(ValueError, match="same noise multipliers"):
        head.train(x, y, CLASSES, recipe(), runs)


def test_a_recipe_for_other_images_is_refused():
    x, y = data()
    with pytest.raises(ValueError, match="for 61"):
        head.train(x, y, CLASSES, recipe(n=61), [Run(0, None)])
