"""What a corruption is: five severities, the chance an image needs, and a function of images and that chance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from efficiency360.numerics.corruptions.names import Table

Params = tuple[float, ...]
Chance = tuple[Tensor, ...]


@dataclass(frozen=True)
class Corruption:
    """One way to spoil images.

    Attributes:
        imagenet: Parameters of severities 1 to 5 for images of ordinary size.
        cifar: The same for small images, see `table_for`; None where the size makes no difference.
        apply: Takes images (N, C, H, W) in [0, 1], the parameters and the chance of every image, stacked along a first
            dimension of N; returns images of that shape, which may still leave [0, 1].
        draw: Takes one image (C, H, W), the parameters and a seeded generator; returns that image's chance. None where
            nothing is random. Drawing apart from applying lets a test hand the same noise to another implementation.
    """

    imagenet: Sequence[Params]
    cifar: Sequence[Params] | None
    apply: Callable[[Tensor, Params, Chance], Tensor]
    draw: Callable[[Tensor, Params, Generator], Chance] | None = None

    def params(self, severity: int, table: Table) -> Params:
        """Return the parameters of a severity from 1 to 5."""
        small = self.cifar if table == "cifar" else None
        return (small or self.imagenet)[severity - 1]

    def chance(self, name: str, images: Tensor, params: Params, seeds: Sequence[int]) -> Chance:
        """Draw for every image from its own generator, on the CPU, and stack on the images' device."""
        if self.draw is None:
            return ()
        drawn = [self.draw(image, params, seeded(name, seed)) for image, seed in zip(images.cpu(), seeds, strict=True)]
        return tuple(torch.stack(parts).to(images.device) for parts in zip(*drawn, strict=True))


def seeded(name: str, seed: int) -> Generator:
    """Return a generator for one image: the same for all severities, another for every name and seed."""
    digest = hashlib.blake2b(f"{name}:{seed}".encode(), digest_size=4).digest()
    return Generator().manual_seed(int.from_bytes(digest))  # torch's generator has no more than 32 bits of seed


def per_image(values: Tensor) -> Tensor:
    """Shape one number per image (N,) so that it multiplies images (N, C, H, W)."""
    return values.reshape(-1, 1, 1, 1)
