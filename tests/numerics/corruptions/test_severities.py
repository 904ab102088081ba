"""Each severity spoils images more than the one before, at every size, in colour and in grey."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from efficiency360.errors import AxisError
from efficiency360.numerics.corruptions import ALL, COLOUR_ONLY, OURS, SEVERITIES, corrupt, table_for
from efficiency360.numerics.corruptions.batch import RECIPES

Pictures = Callable[..., Tensor]

# Severities as published that do not grow, by this measure; they are kept, so that figures stay comparable.
GOES_BACK = {
    "glass_blur": "fewer passes over longer distances, and then more over shorter ones",
    "saturate": "the first two take colour away, the last three add some",
    "frost": "at equal shares of frost, less of the image makes a darker one",
    "snow": "fewer and larger flakes from the second to the third",
    "spatter": "the first three are water, the last two mud",
}
GOES_BACK_WHERE_SMALL = {
    "elastic_transform": "from shearing the whole image to shifting its pixels",
    "motion_blur": "a longer line whose added end weighs nothing",
    "pixelate": "small factors land between pixels or on them",
}


def distances(images: Tensor, name: str) -> Sequence[float]:
    seeds = range(len(images))
    return [float((corrupt(images, name, severity, seeds) - images).square().mean().sqrt()) for severity in SEVERITIES]


def assert_grows(images: Tensor, name: str, *, may_go_back: bool = False) -> None:
    far = distances(images, name)
    assert min(far) > 0.05 * max(far) > 0, far
    if not may_go_back:
        assert all(milder < stronger for milder, stronger in pairwise(far)), far


def goes_back(name: str, side: int) -> bool:
    return name in GOES_BACK or (name in GOES_BACK_WHERE_SMALL and table_for(side, side) == "cifar")


@pytest.mark.parametrize(
    ("name", "channels"),
    [(name, channels) for name in ALL for channels in (1, 3) if channels > 1 or name not in COLOUR_ONLY],
)
def test_distance_from_the_clean_image_grows_with_severity(
    name: str, side: int, channels: int, pictures: Pictures
) -> None:
    assert_grows(pictures(side, channels), name, may_go_back=goes_back(name, side))


@pytest.mark.parametrize("name", ["brightness", "glass_blur"])
def test_a_corruption_that_does_nothing_is_caught(
    name: str, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = dataclasses.replace(RECIPES[name], apply=lambda images, _, __: images)
    monkeypatch.setitem(RECIPES, name, idle)
    with pytest.raises(AssertionError):
        assert_grows(pictures(32), name, may_go_back=goes_back(name, 32))


def test_a_corruption_that_ignores_its_severity_is_caught(pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPES["contrast"]
    monkeypatch.setitem(RECIPES, "contrast", dataclasses.replace(recipe, cifar=[recipe.imagenet[0]] * 5))
    with pytest.raises(AssertionError):
        assert_grows(pictures(32), "contrast")


def test_a_corruption_of_colours_refuses_grey_images(pictures: Pictures) -> None:
    for name in COLOUR_ONLY:
        with pytest.raises(AxisError, match="one channel"):
            corrupt(pictures(32, 1), name, 3, range(4))


def test_small_images_take_the_milder_severities_unless_asked_otherwise(pictures: Pictures) -> None:
    images = pictures(32)
    ours, theirs = (corrupt(images, "contrast", 1, range(4), table=table) for table in (None, "imagenet"))
    means = images.mean(dim=(-2, -1), keepdim=True)
    torch.testing.assert_close(ours, (images - means) * 0.75 + means)
    torch.testing.assert_close(theirs, (images - means) * 0.4 + means)


def test_the_short_side_decides_what_is_small() -> None:
    assert [table_for(32, 32), table_for(48, 200), table_for(200, 49), table_for(224, 224)] == [
        "cifar",
        "cifar",
        "imagenet",
        "imagenet",
    ]


def test_frost_is_named_as_not_comparable_and_the_other_published_ones_are_not() -> None:
    assert [name for name in ALL[:19] if name in OURS] == ["frost"]
    assert "not comparable" in OURS["frost"]
    assert set(ALL[19:]) <= set(OURS)
