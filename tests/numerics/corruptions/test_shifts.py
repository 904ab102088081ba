"""Rotations, translations and the camera's faults: against other libraries and against what physics says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import scipy.ndimage
import torch
from PIL import Image
from torch import Tensor

from efficiency360.numerics.corruptions import CAMERA, SEVERITIES, corrupt
from efficiency360.numerics.corruptions.batch import RECIPES
from efficiency360.numerics.corruptions.camera import lens
from efficiency360.numerics.corruptions.spatter import distance

if TYPE_CHECKING:
    from types import ModuleType

Pictures = Callable[..., Tensor]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_rotation_is_scipys_by_the_stated_angle_to_either_side(severity: int, pictures: Pictures) -> None:
    image = pictures(61)[0]
    degrees = [2, 5, 10, 20, 30][severity - 1]
    made = corrupt(image.expand(12, -1, -1, -1), "rotation", severity, range(12))
    both = [
        scipy.ndimage.rotate(image.numpy(), sign * degrees, (-1, -2), reshape=False, order=1, mode="reflect")
        for sign in (-1, 1)
    ]
    off = torch.stack([(made - torch.from_numpy(one)).abs().amax(dim=(1, 2, 3)) for one in both])
    assert off.min(dim=0).values.max() < 1e-4
    assert set(off.argmin(dim=0).tolist()) == {0, 1}


def test_translation_moves_whole_pixels_along_both_axes(pictures: Pictures) -> None:
    image = pictures(32)[0]
    made = corrupt(image.expand(24, -1, -1, -1), "translation", 3, range(24))  # 9 % of 32 pixels: 3
    middle = made[..., 3:-3, 3:-3]
    found = {
        (down, across)
        for down in (-3, 3)
        for across in (-3, 3)
        for one in middle
        if torch.equal(one, image.roll((down, across), (-2, -1))[..., 3:-3, 3:-3])
    }
    assert len(found) == 4
    assert torch.equal(made[..., 0, 3:-3].amax(dim=0) > 0, torch.ones(3, 26, dtype=torch.bool))


def test_small_images_shear_as_opencvs(pictures: Pictures, cv2: ModuleType) -> None:
    image = pictures(32)[:1]
    recipe = RECIPES["elastic_transform"]
    corners = recipe.chance("elastic_transform", image, recipe.params(1, "cifar"), [4])[1][0].numpy() * 0.08 * 32
    points = np.array([[26, 26], [26, 6], [6, 6]], dtype=np.float32)
    shear = cv2.getAffineTransform(points, points + corners.astype(np.float32))
    smooth = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    theirs = cv2.warpAffine(smooth[0].permute(1, 2, 0).numpy(), shear, (32, 32))[4:-4, 4:-4]
    ours = corrupt(smooth, "elastic_transform", 1, [4])[0].permute(1, 2, 0).numpy()[4:-4, 4:-4]
    assert np.abs(ours - theirs).max() < 2 / 255  # opencv reads between pixels in steps of a 32nd
    assert np.abs(ours - smooth[0].permute(1, 2, 0).numpy()[4:-4, 4:-4]).max() > 20 / 255


def test_small_images_are_pixelated_by_pillows_box_both_ways(pictures: Pictures) -> None:
    image = pictures(32)[0]
    for severity, factor in enumerate([0.95, 0.9, 0.85, 0.75, 0.65], start=1):
        pixels = Image.fromarray((image * 255).byte().permute(1, 2, 0).numpy())
        low = pixels.resize((int(32 * factor),) * 2, Image.Resampling.BOX)
        theirs = np.asarray(low.resize((32, 32), Image.Resampling.BOX), dtype=np.float32)
        ours = corrupt(image[None], "pixelate", severity, [0])[0].permute(1, 2, 0).numpy() * 255
        assert np.abs(ours - theirs).max() < 1e-3


@pytest.mark.parametrize("name", CAMERA)
def test_a_camera_gives_whole_grey_levels(name: str, pictures: Pictures) -> None:
    levels = corrupt(pictures(32), name, 3, range(4)) * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)


def test_every_stop_halves_the_light() -> None:
    white = torch.ones(1, 1, 64, 64)
    for stops in SEVERITIES:
        light = corrupt(white, "low_light", stops, [0]) ** 2.2
        assert light.mean() == pytest.approx(0.5**stops, rel=0.02)


def test_less_light_has_a_lower_ratio_of_signal_to_noise() -> None:
    grey = torch.full((1, 1, 64, 64), 0.7)
    ratios = [(made.mean() / made.std()).item() for made in (corrupt(grey, "low_light", s, [0]) for s in SEVERITIES)]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize(("severity", "decibels"), [(1, 12), (3, 28)])
def test_gain_amplifies_the_noise_of_few_electrons(severity: int, decibels: int) -> None:
    light = corrupt(torch.full((4, 1, 64, 64), 0.5), "sensor_noise", severity, range(4)) ** 2.2
    white = 5000 / 10 ** (decibels / 20)
    caught = 0.5**2.2 * white
    assert light.mean() == pytest.approx(0.5**2.2, rel=0.03)
    assert light.std() == pytest.approx(math.sqrt(caught + 16) / white, rel=0.06)


@pytest.mark.parametrize("radius", [1.7, 5.1, 14.0])
def test_a_lens_spreads_a_point_evenly_over_its_disk(radius: float) -> None:
    kernel = lens(radius).double()
    steps = torch.arange(len(kernel)) - len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert torch.equal(kernel, kernel.mT)
    assert kernel.max() == pytest.approx(1 / (math.pi * radius**2), rel=0.04)
    spread = (kernel * (steps[:, None] ** 2 + steps**2)).sum()
    assert spread == pytest.approx(radius**2 / 2, rel=0.15, abs=0.2)


def test_motion_smears_along_the_rows_only() -> None:
    upright, level = torch.zeros(1, 1, 100, 100), torch.zeros(1, 1, 100, 100)
    upright[..., 50:] = 1
    level[..., 50:, :] = 1
    assert torch.equal(corrupt(level, "motion", 5, [0]), level)
    smeared = corrupt(upright, "motion", 5, [0])[0, 0, 0]
    assert ((smeared > 0) & (smeared < 1)).sum() == 16  # of 100 pixels, 16 % travel
    assert bool((smeared.diff() >= 0).all())


def test_distances_to_outlines_are_opencvs(cv2: ModuleType) -> None:
    edge = torch.rand(1, 1, 60, 50, generator=torch.Generator().manual_seed(1)) > 0.998
    background = (~edge[0, 0]).byte().numpy()
    theirs = np.minimum(cv2.distanceTransform(background, cv2.DIST_L2, 5), 20)
    assert np.abs(distance(edge, 20)[0, 0].numpy() - theirs).max() < 1e-3


def test_distances_without_any_outline_are_far() -> None:
    assert set(distance(torch.zeros(1, 1, 30, 30, dtype=torch.bool), 20).flatten().tolist()) == {20.0}
