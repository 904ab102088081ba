"""What numbers were made of, sample by sample, so that another audit can be compared with them: arrays, and on disk."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from efficiency360.arrays import load_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_CLOSE = 1e-6
How = Literal["mean", "group mean", "group low", "group gap", "larger group gap", "median of stretches"]
"""How a measurement comes from its values: their mean, the mean of the groups' means, the smallest of these, the
largest less the smallest, the larger such gap of two kinds of images (groups are then 2 x group + kind), or (of
timings) their median, with the stretches as the units that differ."""


@dataclass(frozen=True)
class Sample:
    """The values (M,) behind one measurement, and for each the image or the stretch (M,) that it belongs to.

    `of` counts the images of the data set as the audit went through them, or the stretches of timed runs. `groups` (M,)
    are the groups, where there are some. Values that are True or False are 1 and 0. `drift` is the share by
    which timings of one model may differ between two audits of one host, beyond what they vary within one.
    """

    name: str
    params: Mapping[str, bool | int | float | str]
    how: How
    values: NDArray[np.float64]
    of: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None
    drift: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        lengths = {self.values.shape, self.of.shape, *([] if self.groups is None else [self.groups.shape])}
        if len(lengths) != 1 or self.values.ndim != 1 or not len(self.values):
            raise ValueError(f"the samples of {self.name} do not fit together")
        if not np.isfinite(self.values).all() or self.of.min() < 0:
            raise ValueError(f"the samples of {self.name} are no finite numbers of images or stretches")
        if not 0 <= self.drift < 1 or (self.how == "median of stretches" and self.values.min() <= 0):
            raise ValueError(f"the samples of {self.name} are no timings")
        if ("group" in self.how) == (self.groups is None):
            raise ValueError(f"the samples of {self.name} lack their groups, or have some that mean nothing")

    def fits(self, params: Mapping[str, object]) -> bool:
        """Whether these are the samples of the measurement with these params."""
        return dict(self.params) == dict(params)

    def makes(self, value: float, n: int | None) -> bool:
        """Whether these samples make a measurement of this value and number, but for rounding."""
        return n == self.n and math.isclose(self.value, value, rel_tol=_CLOSE, abs_tol=_CLOSE**2)

    @property
    def n(self) -> int:
        """How many values the number is of: all, but where it is of one group."""
        if self.how != "group low" or self.groups is None:
            return len(self.values)
        _, counts, means = _of_groups(self.values, self.groups)
        return int(counts[means.argmin()])

    @property
    def value(self) -> float:
        """The number that these values make; a median as an order statistic."""
        if self.how == "median of stretches":
            return float(np.partition(self.values, (len(self.values) - 1) // 2)[(len(self.values) - 1) // 2])
        if self.groups is None:
            return float(self.values.mean())
        groups, _, means = _of_groups(self.values, self.groups)
        if self.how == "larger group gap":
            return float(max(np.ptp(means[groups % 2 == kind]) for kind in np.unique(groups % 2)))
        if self.how == "group gap":
            return float(np.ptp(means))
        return float(means.min() if self.how == "group low" else means.mean())


def _of_groups(
    values: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The groups (G,) that occur, how many values each has, and their means."""
    there, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return there, counts, np.bincount(number, values) / counts


def to_bytes(samples: Sequence[Sample]) -> bytes:
    """Samples as a compressed `.npz` of four arrays; the same samples give the same bytes."""
    index = [
        {"name": one.name, "params": dict(one.params), "how": one.how, "n": len(one.values), "drift": one.drift}
        for one in samples
    ]
    none = np.empty(0, np.int64)
    groups = (np.full(len(one.values), -1) if one.groups is None else one.groups for one in samples)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        index=np.array(json.dumps(index)),
        values=np.concatenate([np.empty(0), *(one.values for one in samples)]).astype(np.float64),
        of=np.concatenate([none, *(one.of for one in samples)]).astype(np.int64),
        groups=np.concatenate([none, *groups]).astype(np.int64),
    )
    return buffer.getvalue()


def from_bytes(data: bytes) -> tuple[Sample, ...]:
    """Samples out of such an `.npz`.

    Raises:
        ValueError: it is none, or what is in it does not fit together.
    """
    arrays = load_arrays(io.BytesIO(data))
    if any(np.iscomplexobj(array) for array in arrays.values()):
        raise ValueError("not the samples of an axis (complex numbers)")
    try:
        return tuple(_samples(json.loads(str(arrays["index"])), arrays))
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the samples of an axis ({type(error).__name__}: {error})") from error


def _samples(index: list[dict[str, Any]], arrays: Mapping[str, NDArray[np.generic]]) -> Iterable[Sample]:
    values = arrays["values"].astype(np.float64)
    of, groups = arrays["of"].astype(np.int64), arrays["groups"].astype(np.int64)
    start = 0
    for entry in index:
        name, how, stop = str(entry["name"]), entry["how"], start + int(entry["n"])
        if how not in get_args(How):
            raise ValueError(f"the samples of {name} are of an unknown kind")
        mine = slice(start, stop)
        grouped = groups[mine] if "group" in how else None
        yield Sample(name, dict(entry["params"]), how, values[mine], of[mine], grouped, float(entry["drift"]))
        start = stop
    if not len(values) == len(of) == len(groups) == start:
        raise ValueError("the samples are more or fewer than they are said to be")
