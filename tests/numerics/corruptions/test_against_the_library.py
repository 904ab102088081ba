"""The 19 corruptions beside imagecorruptions, image by image, both given the same random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from efficiency360.numerics.corruptions import EXTRA, NAMES, SEVERITIES, corrupt
from efficiency360.numerics.corruptions.batch import RECIPES

if TYPE_CHECKING:
    from types import ModuleType

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]
Pictures = Callable[..., Tensor]
Oracle = Callable[..., Tensor]

LEVEL = 1 / 255
# Largest and mean difference in grey levels. Where either rounds between its steps, a value on the edge between two
# bytes may fall on either side.
EXACT = (0.01, 0.002)
TOLERANCES = {
    "glass_blur": (1.01, 0.01),
    "snow": (1.01, 0.01),
    "spatter": (1.01, 0.01),
}
COMPARED = [name for name in (*NAMES, *EXTRA) if name not in {"frost", "impulse_noise"}]
ALIKE_IN_GREY = [name for name in COMPARED if not name.endswith("noise") and name not in {"spatter", "saturate"}]


def interleaved(parts: Tensor) -> Array:
    """(C, H, W) as the library's (H, W, C)."""
    return parts.permute(1, 2, 0).double().numpy()


def as_share(degrees: Tensor, low: float, high: float) -> Array:
    return np.asarray(2 * (degrees.double().item() - low) / (high - low) - 1)


def fog_numbers(flat: Tensor) -> Iterator[Array]:
    points, used = 1, 0
    while used < len(flat):
        for _ in range(3):
            yield flat[used : used + points].double().numpy().reshape(round(points**0.5), -1)
            used += points
        points *= 4


def glass_numbers(passes: Tensor, reach: int) -> Iterator[Array]:
    height, width = passes.shape[-2:]
    for moves in passes.numpy():
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                yield moves[::-1, row, column]


def numbers(name: str, chance: tuple[Tensor, ...], params: tuple[float, ...]) -> Iterator[Array]:
    """Our chance of one image in the order and shape in which the library asks for it."""
    match name:
        case "gaussian_noise" | "speckle_noise" | "shot_noise":
            yield interleaved(chance[0])
        case "motion_blur":
            yield as_share(chance[0], -45, 45)
        case "snow":
            yield chance[0][0].double().numpy()
            yield as_share(chance[1], -135, -45)
        case "fog":
            yield from fog_numbers(chance[0])
        case "elastic_transform":
            yield from chance[0].double().numpy()
        case "glass_blur":
            yield from glass_numbers(chance[0], int(params[1]))
        case "spatter":
            yield chance[0][0].double().numpy()


def assert_agrees(images: Tensor, name: str, oracle: Oracle) -> None:
    largest, mean = TOLERANCES.get(name, EXACT)
    seeds = list(range(len(images)))
    for severity in SEVERITIES:
        params = RECIPES[name].params(severity, "imagenet")
        chance = RECIPES[name].chance(name, images, params, seeds)
        ours = corrupt(images, name, severity, seeds)
        for index, image in enumerate(images):
            drawn = numbers(name, tuple(part[index] for part in chance), params)
            off = (ours[index] - oracle(image, name, severity, drawn).clamp(0, 1)).abs() / LEVEL
            assert off.max() <= largest, f"severity {severity}, image {index}: {off.max()} grey levels"
            assert off.mean() <= mean, f"severity {severity}, image {index}: {off.mean()} grey levels in the mean"


@pytest.mark.parametrize("name", COMPARED)
def test_every_colour_image_agrees_with_the_library(name: str, pictures: Pictures, oracle: Oracle) -> None:
    assert_agrees(pictures(72, count=2)[..., :61, :], name, oracle)


@pytest.mark.parametrize("name", ALIKE_IN_GREY)
def test_a_grey_image_agrees_with_the_library_given_it_three_times(
    name: str, pictures: Pictures, oracle: Oracle
) -> None:
    assert_agrees(pictures(64, channels=1, count=1), name, oracle)


@pytest.mark.parametrize(
    "name", ["defocus_blur", "zoom_blur", "elastic_transform", "jpeg_compression", "snow", "spatter"]
)
def test_an_image_of_224_pixels_agrees_with_the_library(name: str, pictures: Pictures, oracle: Oracle) -> None:
    assert_agrees(pictures(224, count=1), name, oracle)


def test_the_comparison_notices_a_severity_that_is_one_off(
    pictures: Pictures, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPES["contrast"]
    shifted = type(recipe)(recipe.imagenet[1:] + recipe.imagenet[:1], None, recipe.apply)  # type: ignore[operator]
    monkeypatch.setitem(RECIPES, "contrast", shifted)
    with pytest.raises(AssertionError, match="severity 1, image 0"):
        assert_agrees(pictures(64, count=1), "contrast", oracle)


def by_the_library(library: ModuleType, image: Tensor, name: str, severity: int) -> Tensor:
    """With the library's own random numbers."""
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    result = np.asarray(getattr(library, name)(Image.fromarray(pixels), severity), dtype=np.float64) / 255
    return torch.from_numpy(result).permute(2, 0, 1)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_turns_as_many_values_black_and_white_as_the_library(severity: int, library: ModuleType) -> None:
    image = torch.full((3, 224, 224), 128 / 255)
    theirs = by_the_library(library, image, "impulse_noise", severity)
    ours = corrupt(image[None], "impulse_noise", severity, [5])[0]
    assert torch.equal(ours.unique(), torch.tensor([0, 128 / 255, 1]))
    for extreme in (0, 1):
        share, expected = (ours == extreme).double().mean(), (theirs == extreme).double().mean()
        assert abs(share - expected) < 6 * (2 * expected / image.numel()) ** 0.5


def test_frost_is_as_light_and_as_strong_as_the_photographs_it_replaces(
    pictures: Pictures, library: ModuleType
) -> None:
    image = pictures(224, count=1)
    np.random.seed(0)  # noqa: NPY002 - the library draws from there
    for severity in SEVERITIES:
        theirs = torch.stack([by_the_library(library, image[0], "frost", severity) for _ in range(12)])
        ours = corrupt(image.expand(12, -1, -1, -1), "frost", severity, range(12))
        assert abs(ours.mean() - theirs.clamp(0, 1).mean()) < 0.08
        distance, expected = ((made - image).square().mean().sqrt() for made in (ours, theirs))
        assert 0.75 < distance / expected < 1.25


@pytest.mark.parametrize("name", ["glass_blur", "saturate"])
def test_where_a_published_severity_is_milder_than_the_one_before_the_library_says_so_too(
    name: str, pictures: Pictures, library: ModuleType
) -> None:
    images = pictures(64, count=2)
    theirs = [
        sum(float((by_the_library(library, image, name, severity) - image).square().mean()) for image in images)
        for severity in SEVERITIES
    ]
    ours = [float((corrupt(images, name, severity, [0, 1]) - images).square().mean()) for severity in SEVERITIES]
    assert np.argsort(theirs).tolist() == np.argsort(ours).tolist() != list(range(5))
