"""What is random: from each image's own seed, of the stated distribution, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.corruptions import ALL, COLOUR_ONLY, corrupt
from efficiency360.numerics.corruptions.batch import RECIPES

Pictures = Callable[..., Tensor]

FIXED = {
    "defocus_blur",
    "zoom_blur",
    "gaussian_blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg_compression",
    "saturate",
    "defocus",
    "motion",
    "strong_jpeg",
}


@pytest.mark.parametrize("name", ALL)
def test_the_result_is_an_image_of_the_same_shape(name: str, side: int, pictures: Pictures) -> None:
    for images in (pictures(side)[:2, :, : side - 5], torch.zeros(1, 3, side, side), torch.ones(1, 3, side, side)):
        made = corrupt(images, name, 5, range(len(images)))
        assert made.shape == images.shape
        assert made.dtype == torch.float32
        assert made.isfinite().all()
        assert (made.min() >= 0) & (made.max() <= 1)


@pytest.mark.parametrize("name", ALL)
def test_the_smallest_images_work_with_both_tables(name: str, pictures: Pictures) -> None:
    for table in ("cifar", "imagenet"):
        made = corrupt(pictures(8), name, 5, range(4), table=table)
        assert made.isfinite().all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_comes_out_the_same_alone_and_in_any_company(name: str, channels: int, pictures: Pictures) -> None:
    images = pictures(32, 3 if name in COLOUR_ONLY else channels)
    together = corrupt(images, name, 3, torch.tensor([11, 12, 13, 14]))
    backwards = corrupt(images.flip(0), name, 3, [14, 13, 12, 11]).flip(0)
    alone = torch.cat([corrupt(images[i : i + 1], name, 3, [11 + i]) for i in range(4)])
    assert torch.equal(together, alone)
    assert torch.equal(together, backwards)


@pytest.mark.parametrize("name", ALL)
def test_the_seed_decides_and_only_where_there_is_chance(name: str, pictures: Pictures) -> None:
    image = pictures(32)[:1].expand(12, -1, -1, -1)
    made = corrupt(image, name, 3, range(12))
    assert torch.equal(made, corrupt(image, name, 3, range(12)))
    assert (len(made.flatten(1).unique(dim=0)) == 1) == (name in FIXED)


def test_random_numbers_elsewhere_are_left_alone(pictures: Pictures) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for name in ALL:
        corrupt(pictures(32), name, 2, range(4))
    assert torch.equal(before, torch.get_rng_state())


def test_two_corruptions_do_not_share_their_noise() -> None:
    grey = torch.full((1, 1, 64, 64), 0.5)
    parts = [corrupt(grey, name, 1, [3]).flatten() for name in ("gaussian_noise", "speckle_noise")]
    assert torch.corrcoef(torch.stack(parts))[0, 1].abs() < 0.08


@pytest.mark.parametrize(("name", "severity", "deviation"), [("gaussian_noise", 1, 0.08), ("speckle_noise", 2, 0.1)])
def test_noise_has_the_stated_deviation_and_no_correlation(name: str, severity: int, deviation: float) -> None:
    noise = corrupt(torch.full((8, 3, 64, 64), 0.5), name, severity, range(8)) - 0.5
    assert noise.mean().abs() < 0.001
    assert noise.std() == pytest.approx(deviation, rel=0.02)
    beside = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
    between = (noise[:, 0] * noise[:, 1]).mean() / noise.var()
    assert max(beside.abs(), between.abs()) < 0.03


def test_shot_noise_is_poisson() -> None:
    shots = corrupt(torch.full((8, 3, 64, 64), 0.25), "shot_noise", 1, range(8)) * 60
    assert shots.mean() == pytest.approx(15, rel=0.01)
    assert shots.var() == pytest.approx(15, rel=0.03)
    torch.testing.assert_close(shots, shots.round(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "part", "low", "high"),
    [("motion_blur", 0, -45, 45), ("snow", 1, -135, -45), ("fog", 0, -1, 1), ("elastic_transform", 0, -1, 1)],
)
def test_directions_and_displacements_are_uniform(name: str, part: int, low: float, high: float) -> None:
    images, recipe = torch.zeros(400, 1, 8, 8), RECIPES[name]
    drawn = recipe.chance(name, images, recipe.params(3, "imagenet"), range(400))[part].flatten().double()
    share = (drawn - low) / (high - low)
    steps = torch.linspace(0, 1, len(share), dtype=torch.float64)
    assert (share.sort().values - steps).abs().max() < 1.95 / len(share) ** 0.5  # Kolmogorov-Smirnov, one in a thousand


def test_glass_moves_pixels_equally_often_to_every_place_in_reach() -> None:
    recipe = RECIPES["glass_blur"]
    moves = recipe.chance("glass_blur", torch.zeros(4, 1, 64, 64), recipe.params(4, "imagenet"), range(4))[0]
    counts = moves.flatten().unique(return_counts=True)
    assert counts[0].tolist() == [-3, -2, -1, 0, 1, 2]
    assert counts[1] / moves.numel() == pytest.approx(torch.full((6,), 1 / 6), rel=0.03)


@pytest.mark.parametrize(
    ("name", "severity", "said"), [("fogg", 3, "'fogg'; there are gaussian_noise"), ("fog", 6, "severity 6 of fog")]
)
def test_what_does_not_exist_is_named(name: str, severity: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        corrupt(torch.zeros(1, 3, 32, 32), name, severity, [0])


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 32, 32), torch.zeros(1, 4, 32, 32), torch.zeros(1, 3, 32, 32, dtype=torch.uint8)]
)
def test_what_is_no_batch_of_images_is_refused(images: Tensor) -> None:
    with pytest.raises(ValueError, match="images"):
        corrupt(images, "fog", 1, [0])


def test_a_seed_is_wanted_for_every_image() -> None:
    with pytest.raises(ValueError, match="1 seeds for 2 images"):
        corrupt(torch.zeros(2, 3, 32, 32), "fog", 1, [0])


def test_images_too_small_to_corrupt_are_named_so() -> None:
    with pytest.raises(AxisError, match="7 x 32 pixels are too small"):
        corrupt(torch.zeros(1, 3, 7, 32), "fog", 1, [0])


def test_no_images_give_no_images() -> None:
    assert corrupt(torch.zeros(0, 3, 32, 32), "fog", 1, []).shape == (0, 3, 32, 32)


def test_every_name_has_a_recipe_and_every_recipe_a_name() -> None:
    assert sorted(ALL) == sorted(RECIPES)


def test_names_can_be_checked_without_torch() -> None:
    code = "import sys, efficiency360.numerics.corruptions as c; c.check('fog', 3); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
