"""The recipes by name, and applying one to a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.errors import AxisError
from efficiency360.numerics.corruptions.blur import BLUR
from efficiency360.numerics.corruptions.camera import FAULTS
from efficiency360.numerics.corruptions.digital import DIGITAL
from efficiency360.numerics.corruptions.geometry import GEOMETRY
from efficiency360.numerics.corruptions.names import SMALLEST_SIDE, table_for, unfit
from efficiency360.numerics.corruptions.noise import NOISE
from efficiency360.numerics.corruptions.spatter import SPATTER
from efficiency360.numerics.corruptions.weather import WEATHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from efficiency360.numerics.corruptions.names import Table
    from efficiency360.numerics.corruptions.recipe import Corruption

AT_ONCE = 1 << 18
"""Values that are worked on at once: many small images or one large one, so that steps in between stay in the cache."""

RECIPES: dict[str, Corruption] = {**NOISE, **BLUR, **WEATHER, **DIGITAL, **SPATTER, **GEOMETRY, **FAULTS}


def applied(images: Tensor, name: str, severity: int, seeds: Sequence[int], table: Table | None) -> Tensor:
    """Corrupt a batch; see `efficiency360.numerics.corruptions.corrupt`."""
    _fit(images, seeds, name)
    recipe = RECIPES[name]
    params = recipe.params(severity, table or table_for(*images.shape[-2:]))
    made = torch.empty(images.shape, device=images.device)
    count = max(1, AT_ONCE // max(images[:1].numel(), 1))
    with torch.no_grad():
        for start in range(0, len(images), count):
            few = images[start : start + count].float()
            chance = recipe.chance(name, few, params, seeds[start : start + count])
            torch.clamp(recipe.apply(few, params, chance), 0, 1, out=made[start : start + count])
    return made


def _fit(images: Tensor, seeds: Sequence[int], name: str) -> None:
    if images.ndim != 4 or images.shape[1] not in {1, 3} or not images.is_floating_point():  # noqa: PLR2004
        raise ValueError(f"images (N, 1 or 3, H, W) of floating point are wanted, not {list(images.shape)}")
    if len(seeds) != len(images):
        raise ValueError(f"{len(seeds)} seeds for {len(images)} images")
    channels, height, width = images.shape[1:]
    why = unfit(name, channels, height, width)
    if why == "small":
        raise AxisError(
            f"images of {height} x {width} pixels are too small to corrupt: a side has {SMALLEST_SIDE} or more"
        )
    if why == "grey":
        raise AxisError(f"{name} changes colours, and images of one channel have none; leave it out for this model")
