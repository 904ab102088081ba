"""Which corruptions there are and what to say about them; without torch, so that any process can check settings."""

from __future__ import annotations

from typing import Literal

from efficiency360.errors import InputError

Table = Literal["imagenet", "cifar"]
Unfit = Literal["small", "grey"]
"""Why a corruption cannot be applied: a side is too short; there is one channel, and only colours would change."""

SEVERITIES = (1, 2, 3, 4, 5)
SMALL_SIDE = 48
SMALLEST_SIDE = 8

NAMES = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""The 15 of ImageNet-C, over which published mean corruption figures go."""

EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""The four that ImageNet-C keeps for validation."""

GEOMETRIC = ("rotation", "translation")
CAMERA = ("low_light", "sensor_noise", "defocus", "motion", "strong_jpeg")
ALL = (*NAMES, *EXTRA, *GEOMETRIC, *CAMERA)

COLOUR_ONLY = frozenset({"saturate"})
"""Those that can do nothing to images of one channel."""

OURS = {
    "frost": "the frost is drawn by e360, since ImageNet-C's photographs of frozen windows cannot be shipped: "
    "not comparable with published figures",
    **dict.fromkeys(GEOMETRIC, "the severities are e360's, over the range of Engstrom et al. 2019"),
    **dict.fromkeys(CAMERA, "the severities are e360's, from settings of an inspection line's camera"),
}
"""Those that are not as published, each with what to say beside their figures."""


def table_for(height: int, width: int) -> Table:
    """Return whose severities fit images of this size in pixels.

    ImageNet-C's severities were chosen on 224 x 224 and leave nothing of a small image, so its authors published others
    with CIFAR-10-C. Images with a side of at most 48 pixels (MNIST, CIFAR, traffic signs) take those.
    """
    return "cifar" if min(height, width) <= SMALL_SIDE else "imagenet"


def unfit(name: str, channels: int, height: int, width: int) -> Unfit | None:
    """Why images of this shape cannot be corrupted so; None where they can."""
    if min(height, width) < SMALLEST_SIDE:
        return "small"
    return "grey" if channels == 1 and name in COLOUR_ONLY else None


def check(name: str, severity: int = 1) -> None:
    """Raise InputError where there is no such corruption or severity."""
    if name not in ALL:
        raise InputError(f"there is no corruption named {name!a}; there are {', '.join(ALL)}")
    if severity not in SEVERITIES:
        raise InputError(f"severity {severity!a} of {name} is not one of 1, 2, 3, 4, 5")
