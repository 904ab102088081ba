"""The experiments that test a map: what they give for models and maps of which the outcome is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from efficiency360.numerics.attribution import (
    METHODS,
    Cells,
    How,
    baselines,
    counts,
    exchanged,
    has_weights,
    layers,
    orders,
    relative_changes,
    shuffled,
)
from efficiency360.statistics.alike import rank_correlation

SIDE = 12
CELLS = Cells.of(SIDE, SIDE, 4)


def generators(n, seed=0):
    return [np.random.default_rng([seed, row]) for row in range(n)]


class Linear(nn.Module):
    """Two probabilities that are linear in the pixels."""

    def __init__(self):
        super().__init__()
        weight = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(3))
        self.weight = nn.Parameter(weight / weight.sum())

    def forward(self, x):
        share = (x[:, 0] * self.weight).sum(dim=(1, 2))
        return torch.stack([share, 1 - share], dim=1)


class TestCells:
    @pytest.mark.parametrize(("height", "width", "most"), [(12, 12, 4), (10, 7, 4), (8, 8, 14), (224, 160, 14)])
    def test_every_pixel_is_in_one_cell_and_cells_are_as_equal_as_can_be(self, height, width, most):
        cells = Cells.of(height, width, most)
        number = cells.spread(torch.arange(len(cells)).view(cells.rows, cells.columns))
        assert number.shape == (height, width)
        sizes = torch.bincount(number.flatten(), minlength=len(cells)).view(cells.rows, cells.columns)
        assert sizes.min() >= 1
        maps = torch.rand(2, height, width)
        sums = torch.zeros(2, len(cells)).index_add_(1, number.flatten(), maps.flatten(1))
        assert torch.allclose(cells.means(maps).flatten(1), sums / sizes.flatten(), atol=1e-5)
        assert torch.allclose(cells.totals(cells.means(maps)), maps.sum(dim=(1, 2)), rtol=1e-4)


class TestDeletion:
    def test_of_a_linear_model_it_is_a_sum_of_the_cells_that_are_left(self, asked):
        images = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        module, zero = Linear(), torch.zeros(3, dtype=torch.int64)
        start, model = baselines(images, "black"), asked(Linear(), gives_probabilities=True)
        adds = (module.weight.detach() * images[:, 0]).view(3, 4, 3, 4, 3).sum(dim=(2, 4)).flatten(1)
        maps = METHODS["integrated_gradients"].explain(model, images, zero, How("black", 1, 4))
        ranks = orders(CELLS.means(maps).flatten(1).numpy(), generators(3))
        changed = counts(len(CELLS), 8)
        ordered = adds.sort(dim=1, descending=True).values
        gone = torch.cat([torch.zeros(3, 1), ordered.cumsum(dim=1)], dim=1)[:, changed]
        deletion = exchanged(model, images, start, zero, ranks, CELLS, changed)
        insertion = exchanged(model, start, images, zero, ranks, CELLS, changed)
        np.testing.assert_allclose(deletion, adds.sum(dim=1, keepdim=True) - gone, atol=1e-6)
        np.testing.assert_allclose(insertion, gone, atol=1e-6)

    def test_inserted_backwards_a_random_order_is_the_same_curve(self, asked, convolutional, images, classes):
        model, start = asked(convolutional), baselines(images, "mean")
        ranks = orders(np.zeros((5, 16)), generators(5))
        changed = counts(16, 16)
        deletion = exchanged(model, images, start, classes, ranks, CELLS, changed)
        backwards = exchanged(model, start, images, classes, 15 - ranks, CELLS, changed)
        np.testing.assert_allclose(deletion, backwards[:, ::-1], atol=1e-6)

    def test_a_constant_map_is_a_random_order_of_all_cells(self):
        ranks = orders(np.ones((2000, 5)), generators(2000))
        assert (np.sort(ranks, axis=1) == np.arange(5)).all()
        assert np.abs(ranks.mean(axis=0) - 2).max() < 4 * np.sqrt(2 / 2000)

    def test_the_highest_comes_first_and_nan_last(self):
        ranks = orders(np.array([[0.1, np.nan, 3.0, -1.0]]), generators(1))
        assert ranks.tolist() == [[1, 3, 0, 2]]

    @pytest.mark.parametrize(("cells", "steps"), [(196, 12), (4, 12), (64, 64), (63, 7), (9, 2)])
    def test_points_go_from_none_to_all(self, cells, steps):
        found = counts(cells, steps)
        assert found[0] == 0
        assert found[-1] == cells
        assert (np.diff(found) > 0).all()
        assert len(found) == min(steps, cells) + 1


class TestRandomWeights:
    def test_the_weights_are_shuffled_within_and_put_back_to_the_bit(self, convolutional, images):
        before = {name: tensor.clone() for name, tensor in convolutional.state_dict().items()}
        some = layers(convolutional, images)
        with shuffled(convolutional, some, images, torch.Generator().manual_seed(0)):
            for name, tensor in convolutional.state_dict().items():
                assert not torch.equal(tensor, before[name])
                assert torch.equal(tensor.flatten().sort().values, before[name].flatten().sort().values)
        assert all(torch.equal(tensor, before[name]) for name, tensor in convolutional.state_dict().items())

    def test_they_are_put_back_after_a_failure_too(self, convolutional, images):
        before = convolutional(images)
        with (
            pytest.raises(ZeroDivisionError),
            shuffled(convolutional, layers(convolutional, images), images, torch.Generator()),
        ):
            raise ZeroDivisionError
        assert torch.equal(convolutional(images), before)

    def test_layers_go_from_the_head_down(self, convolutional, images):
        found = layers(convolutional, images)
        assert found == [convolutional.head, convolutional.second, convolutional.first]
        with shuffled(convolutional, found[:1], images, torch.Generator().manual_seed(0)):
            assert not torch.equal(convolutional.head.weight, convolutional.head.weight.sort().values)
            inside = convolutional.first.weight.clone()
        assert torch.equal(inside, convolutional.first.weight)

    def test_batch_normalisation_takes_the_statistics_of_the_random_network_and_gets_its_own_back(self, images):
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(400, 2)).eval()
        with torch.no_grad():
            module[1].running_mean.fill_(7)
        with shuffled(module, layers(module, images), images, torch.Generator().manual_seed(0)):
            seen = module[0](images)
            assert torch.allclose(module[1].running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-5)
            assert not module[1].training
        assert module[1].running_mean.eq(7).all()
        assert module[1].momentum == 0.1

    def test_a_good_map_changes_and_an_edge_detector_does_not(self, asked, convolutional, images, classes):
        def edges(given):
            return given.mean(dim=1).diff(dim=2, append=given.mean(dim=1)[..., -1:]).abs()

        def gradients(given):
            return METHODS["integrated_gradients"].explain(asked(convolutional), given, classes, How("mean", 8, 4))

        for explain, changes in ((gradients, True), (edges, False)):
            own = CELLS.means(explain(images)).detach().numpy()
            with shuffled(convolutional, layers(convolutional, images), images, torch.Generator().manual_seed(0)):
                random = CELLS.means(explain(images)).detach().numpy()
            alike = np.mean([rank_correlation(one, other) for one, other in zip(own, random, strict=True)])
            assert alike < 0.5 if changes else alike == 1

    def test_a_model_without_weights_says_so(self):
        assert not has_weights(nn.Sequential(nn.ReLU(), nn.Flatten()))
        assert has_weights(nn.Linear(3, 2))


class TestStability:
    def test_of_a_linear_map_it_is_the_share_of_the_noise(self):
        images = torch.full((2, 1, 4, 4), 0.5)
        noises = torch.rand(3, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
        found = relative_changes(lambda given: 2 * given[:, 0], images, images[:, 0] * 2, noises, 0.1)
        expected = 0.1 * noises.flatten(2).norm(dim=2).T / images.flatten(1).norm(dim=1)[:, None]
        assert torch.allclose(found, expected, atol=1e-6)

    def test_an_empty_map_has_none(self):
        images = torch.rand(1, 1, 4, 4)
        found = relative_changes(
            lambda given: given[:, 0], images, torch.zeros(1, 4, 4), torch.rand(2, 1, 1, 4, 4), 0.1
        )
        assert found.isnan().all()
