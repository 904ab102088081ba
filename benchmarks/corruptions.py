"""Corruptions beside imagecorruptions: images per second at 224 px on one thread, and the ratio for each.

The two alternate, so that a drifting machine hurts both, and processor time is counted, which the work of others does
not lengthen. Each gets and gives images in its own form: a batch of floats, or one array of bytes after another. Where
both leave the work to Pillow (pixelate, JPEG), ours is therefore slower by turning floats into bytes and back; frost is
another recipe. The package is unmaintained; what newer numpy and scikit-image took from it is put back first.
Run: python benchmarks/corruptions.py [NAME ...]
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from efficiency360.numerics.corruptions import EXTRA, NAMES, SEVERITIES, corrupt

if TYPE_CHECKING:
    from collections.abc import Callable

    Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

SIDE, BATCH, ROUNDS = 224, 4, 3


def library() -> Any:
    """Import imagecorruptions.corruptions under today's numpy, scipy and scikit-image."""
    resources: Any = ModuleType("pkg_resources")
    resources.resource_filename = lambda package, name: str(Path(str(sys.modules[package].__file__)).parent / name)
    sys.modules.setdefault("pkg_resources", resources)
    sys.modules.setdefault("scipy.ndimage.interpolation", importlib.import_module("scipy.ndimage"))
    vars(np)["float_"] = np.float64
    module: Any = importlib.import_module("imagecorruptions.corruptions")
    blur = module.gaussian
    module.gaussian = lambda image, sigma, multichannel=None, **rest: blur(
        image, sigma, channel_axis=-1 if multichannel else None, **rest
    )
    return module


def pictures() -> Bytes:
    """Smooth colours with some grain (N, H, W, 3): neither flat, which JPEG likes, nor noise, which it does not."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (BATCH, 14, 14, 3), dtype=np.uint8)
    smooth = np.stack([np.asarray(Image.fromarray(image).resize((SIDE, SIDE))) for image in coarse])
    return np.clip(smooth + generator.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def one_by_one(function: Any, images: Bytes, severity: int) -> None:
    """Corrupt as the package does."""
    for image in images:
        np.uint8(function(Image.fromarray(image), severity))


def seconds(corrupted: Callable[[int], object]) -> float:
    """Return the processor time for all five severities."""
    began = time.process_time()
    for severity in SEVERITIES:
        corrupted(severity)
    return time.process_time() - began


def compared(module: Any, images: Bytes, name: str) -> float:
    """Print both rates of a corruption and return their ratio."""
    times: tuple[list[float], list[float]] = ([], [])
    batch, seeds, function = (
        torch.from_numpy(images).permute(0, 3, 1, 2) / 255,
        range(len(images)),
        getattr(module, name),
    )
    corrupt(batch, name, 1, seeds)
    for _ in range(ROUNDS):
        times[0].append(seconds(lambda severity: corrupt(batch, name, severity, seeds)))
        times[1].append(seconds(lambda severity: one_by_one(function, images, severity)))
    rates = [len(images) * len(SEVERITIES) / statistics.median(part) for part in times]
    print(f"{name:18} {rates[0]:8.1f} {rates[1]:8.1f} images/s, ratio {rates[0] / rates[1]:7.2f}")
    return rates[0] / rates[1]


def main() -> None:
    """Compare all, or those named on the command line."""
    torch.set_num_threads(1)
    try:
        module = library()
    except ImportError as error:
        print(f"imagecorruptions cannot be imported ({error}): nothing to compare with")
        return
    module.cv2.setNumThreads(1)
    images, names = pictures(), sys.argv[1:] or [*NAMES, *EXTRA]
    print(f"{SIDE} x {SIDE}, batches of {BATCH}, one thread; ours, imagecorruptions:")
    ratios = [compared(module, images, name) for name in names]
    print(f"geometric mean of the ratios: {statistics.geometric_mean(ratios):.2f}; slowest {min(ratios):.2f}")


if __name__ == "__main__":
    main()
