"""Natural corruptions of images: the 19 of ImageNet-C, small shifts, and a cheap camera's faults.

Names, severities and recipes of the 19 are those of Hendrycks & Dietterich 2019 (arXiv:1903.12261), written anew for
batches; small images take the severities of CIFAR-10-C (`table_for`). Where the published images came from programs
other than Python (motion blur, snow) or were tied to 224 pixels (elastic transform, fog), the package imagecorruptions
1.1.2 sets what is right, and the tests compare with it image by image. Results are not rounded to bytes and not stored
as JPEG, unlike the published sets, except where the corruption itself does that. `OURS` names what is not as published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.numerics.corruptions.names import (
    ALL,
    CAMERA,
    COLOUR_ONLY,
    EXTRA,
    GEOMETRIC,
    NAMES,
    OURS,
    SEVERITIES,
    SMALLEST_SIDE,
    Table,
    Unfit,
    check,
    table_for,
    unfit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = [
    "ALL",
    "CAMERA",
    "COLOUR_ONLY",
    "EXTRA",
    "GEOMETRIC",
    "NAMES",
    "OURS",
    "SEVERITIES",
    "SMALLEST_SIDE",
    "Table",
    "Unfit",
    "check",
    "corrupt",
    "table_for",
    "unfit",
]


def corrupt(
    images: Tensor, name: str, severity: int, seeds: Tensor | Sequence[int], *, table: Table | None = None
) -> Tensor:
    """Corrupt a batch of images.

    An image's result depends on the image, the name, the severity and its own seed, not on the rest of the batch.
    Random numbers are drawn on the CPU, so that every device sees the same ones, from a generator that starts alike
    at every severity.

    Args:
        images: (N, C, H, W), floating point in [0, 1], C of 1 or 3, H and W of at least 8.
        name: One of `ALL`.
        severity: 1 (mild) to 5.
        seeds: One whole number per image.
        table: Whose severities to take; by default those that fit the size, see `table_for`.

    Returns:
        float32 in [0, 1], of the shape and on the device of `images`.

    Raises:
        InputError: There is no such corruption or severity.
        AxisError: The images are too small, or have no colour for a corruption of colours.
        ValueError: The images are no batch of the kind above, or the number of seeds is another than that of images.
    """
    from efficiency360.numerics.corruptions.batch import applied  # noqa: PLC0415 - names are for the parent, too

    check(name, severity)
    return applied(images, name, severity, [int(seed) for seed in seeds], table)
