"""Photograph-like images, and the package imagecorruptions as an oracle whose random numbers a test supplies.

The package is unmaintained: three of its functions use what numpy and scikit-image have since removed, and its imports
warn. `library` puts the removed names back, and changes nothing else.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


def photographs(side: int, channels: int = 3, count: int = 4) -> Tensor:
    """Whole grey levels with a photograph's 1/f spectrum, edges, colours, and both black and white."""
    generator = np.random.default_rng(7)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) + 1 / side
    white = np.fft.rfft2(generator.normal(size=(count, channels + 1, side, side)))
    smooth = np.fft.irfft2(white / frequency**1.2, s=(side, side))
    smooth /= smooth.std(axis=(-2, -1), keepdims=True)
    parts = 0.45 + 0.15 * smooth[:, :1] + 0.12 * smooth[:, 1:] * (smooth[:, :1] > 0) + 0.1 * smooth[:, 1:].round()
    return torch.from_numpy((parts.clip(0, 1) * 255).round()).float() / 255


@pytest.fixture(params=[32, 224], ids=["32px", "224px"])
def side(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="session")
def pictures() -> Callable[..., Tensor]:
    made: dict[tuple[int, ...], Tensor] = {}

    def get(side: int, channels: int = 3, count: int = 4) -> Tensor:
        key = (side, channels, count)
        return made.setdefault(key, photographs(*key)).clone()

    return get


def with_removed_names(module: ModuleType) -> ModuleType:
    blur = module.gaussian
    module.gaussian = lambda image, sigma, multichannel=None, **rest: blur(  # type: ignore[attr-defined]
        image, sigma, channel_axis=-1 if multichannel else None, **rest
    )
    return module


def imported(name: str) -> ModuleType:
    """An oracle; whoever runs the tests may lack it, our own pipeline may not."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no oracle for corruptions: {error}; it comes with the group dev")


def beside(package: str, name: str) -> str:
    """Where a file of an imported package lies, as pkg_resources would say."""
    return str(Path(str(sys.modules[package].__file__)).parent / name)


@pytest.fixture(scope="session")
def library() -> Iterator[ModuleType]:
    """The corruptions of imagecorruptions: functions of a Pillow image and a severity."""
    stands_in = ModuleType("pkg_resources")
    stands_in.resource_filename = beside  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as lasting:
        lasting.setattr(np, "float_", np.float64, raising=False)
        with pytest.MonkeyPatch.context() as patch:  # only while it is imported: pytest itself asks pkg_resources
            patch.setitem(sys.modules, "pkg_resources", stands_in)
            patch.setitem(sys.modules, "scipy.ndimage.interpolation", scipy.ndimage)
            module = with_removed_names(imported("imagecorruptions.corruptions"))
        yield module


@pytest.fixture(scope="session")
def cv2() -> ModuleType:
    return imported("cv2")


def replayed(numbers: Iterator[Array]) -> dict[str, Callable[..., Any]]:
    """numpy's global generators, dealing out the numbers given: standard normal, in [-1, 1], counts, or moves."""
    return {
        "normal": lambda loc=0.0, scale=1.0, size=None: loc + scale * _sized(next(numbers), size),
        "uniform": lambda low, high, size=None: low + (high - low) * (_sized(next(numbers), size) + 1) / 2,
        "poisson": lambda lam: _sized(next(numbers), lam.shape),
        "randint": lambda *_, size: _sized(next(numbers), size),
    }


def _sized(numbers: Array, size: tuple[int, ...] | None) -> Array:
    assert numbers.shape == (() if size is None else tuple(size)), "the library asked for other numbers than we drew"
    return numbers


@pytest.fixture
def oracle(library: ModuleType) -> Callable[..., Tensor]:
    """What the library makes of one image (C, H, W), before rounding, given the random numbers it asks for."""

    def run(image: Tensor, name: str, severity: int, numbers: Iterator[Array]) -> Tensor:
        pixels = (image * 255).round().byte().permute(1, 2, 0).expand(-1, -1, 3).numpy()
        with pytest.MonkeyPatch.context() as patch:
            for function, replay in replayed(numbers).items():
                patch.setattr(np.random, function, replay)
            result = np.asarray(getattr(library, name)(Image.fromarray(pixels), severity), dtype=np.float64)
        assert next(numbers, None) is None, "the library asked for fewer numbers than we drew"
        return torch.from_numpy(result).permute(2, 0, 1)[: len(image)] / 255

    return run
