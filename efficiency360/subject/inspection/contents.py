"""What lies in a model file as far as it can be told without opening it: plain values, made by the readers beside."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.subject.inspection.signatures import Named

MAX_TENSORS = 100_000
_MAX_ELEMENTS = 2**60
NO_WEIGHTS = frozenset({"running_mean", "running_var", "num_batches_tracked", "n_averaged"})


def possible(shape: tuple[int, ...]) -> bool:
    """Whether a tensor can have a shape that a file claims."""
    return min(shape, default=0) >= 0 and math.prod(shape) <= _MAX_ELEMENTS


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor's elements lie: `size` bytes from `start`, `strides` elements apart (None: densely)."""

    start: int
    size: int
    strides: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor; where it has no `place`, `unread` says why its values cannot be looked at. `dtype` is torch's name."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    place: Place | None = None
    unread: str = ""

    @property
    def numel(self) -> int:
        """The number of its elements; 0 where its shape is none that a tensor can have."""
        return math.prod(self.shape) if possible(self.shape) else 0

    @property
    def named(self) -> Named:
        """Name and shape."""
        return self.name, self.shape


@dataclass(frozen=True)
class WeightSet:
    """Named tensors that belong together, found at `key` ("" for the file itself).

    `ordered` says whether they are in the order of the model that saved them.
    """

    key: str
    tensors: tuple[StoredTensor, ...]
    ordered: bool = True

    @property
    def parameters(self) -> int:
        """Elements of floating-point tensors, without running statistics; tensors that share their bytes count once."""
        counted = {
            (tensor.place or tensor.name): tensor.numel
            for tensor in self.tensors
            if tensor.dtype.startswith(("float", "bfloat", "complex"))
            and tensor.name.rpartition(".")[2] not in NO_WEIGHTS
        }
        return sum(counted.values())


@dataclass(frozen=True)
class Contents:
    """Everything found in one file.

    `code` lists what in it is code, or is unpickled with all powers, when the file is opened; `facts` are for people;
    `input` is the (channels, height, width) that the model takes, where it says so.
    """

    sets: tuple[WeightSet, ...]
    code: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    input: tuple[int, int, int] | None = None
    big_endian: bool = False


def image_input(shape: tuple[int | str, ...]) -> tuple[int, int, int] | None:
    """(channels, height, width) of a (N, C, H, W) shape of images; None for any other."""
    if len(shape) != 4 or shape[1] not in (1, 3):  # noqa: PLR2004 - N, C, H, W
        return None
    sizes = [size for size in shape[1:] if isinstance(size, int) and size > 0]
    return (sizes[0], sizes[1], sizes[2]) if len(sizes) == 3 else None  # noqa: PLR2004 - C, H, W
