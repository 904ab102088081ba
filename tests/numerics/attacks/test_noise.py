import pytest
import torch
from scipy import stats

from efficiency360.numerics.attacks import noise


def test_numbers_do_not_depend_on_the_company():
    positions = torch.arange(10)
    together = noise.uniform(noise.keys(3, positions, 1), (2, 5))
    alone = noise.uniform(noise.keys(3, positions[7:8], 1), (2, 5))
    assert torch.equal(together[7:8], alone)


def test_seed_image_try_and_draw_each_change_the_numbers():
    ways = [noise.keys(seed, torch.tensor([image]), part) for seed in (0, 1) for image in (0, 1) for part in (0, 1)]
    numbers = torch.cat([noise.uniform(key, (8,), draw) for key in ways for draw in (0, 1, 2)])
    assert len({tuple(row) for row in numbers.tolist()}) == 24


def test_uniform_normal_and_signs_have_their_distributions():
    key = noise.keys(0, torch.arange(50))
    assert stats.kstest(noise.uniform(key, (400,)).flatten().numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest(noise.normal(key, (400,)).flatten().numpy(), "norm").pvalue > 1e-3
    signs = noise.signs(key, (400,))
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert abs(float(signs.mean())) < 4 / 20000**0.5


def test_neighbouring_keys_and_draws_are_not_correlated():
    rows = noise.uniform(noise.keys(0, torch.arange(40)), (500,))
    draws = torch.cat([noise.uniform(noise.keys(0, torch.arange(1)), (500,), draw) for draw in range(40)])
    for numbers in (rows, draws):
        apart = torch.corrcoef(numbers) - torch.eye(40)
        assert float(apart.abs().max()) < 0.25


def test_a_draw_of_each_row_is_that_draw_of_its_own():
    key = noise.keys(0, torch.arange(3))
    mixed = noise.uniform(key, (4,), torch.tensor([5, 6, 7]))
    assert torch.equal(mixed[1], noise.uniform(key, (4,), 6)[1])
    assert mixed.min() >= 0
    assert mixed.max() == pytest.approx(mixed.max().clamp(max=1 - 2**-24))
