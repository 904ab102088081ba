"""Two models on the same images, in numbers of their groups: a largest gap, the lowest group, the larger of two gaps.

As in `paired`, images are resampled, never the models' answers apart. What is the most or the least of several groups
is biased, and plain percentiles would miss the truth up to a third of the time; all three go through
`multiplicity.gap_draws`, which allows for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.statistics.multiplicity import gap_draws
from efficiency360.statistics.paired import FEW, Bootstrap, Floor, span_of
from efficiency360.statistics.resampling import pairs_of_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]] | NDArray[np.bool_]
    Floats = NDArray[np.float64]

_NEAR = 2.0


@dataclass(frozen=True)
class _Drawn:
    """Means (2, K) of K groups of `counts` (K,) images under either model, and what they were in R resamples.

    `drawn` is (2, R, K). Of the images `differing` got other numbers from the two, by `spread` on average over all.
    """

    means: Floats
    drawn: Floats
    counts: NDArray[np.int64]
    differing: int
    spread: float

    @staticmethod
    def of(a: Numbers, b: Numbers, groups: NDArray[np.int64], rng: np.random.Generator, resamples: int) -> _Drawn:
        """Resample within groups, one less than there are (Rao and Wu 1988, JASA 83:231).

        A group of one image takes its error from all images.
        """
        pairs = np.stack([a.astype(np.float64), b.astype(np.float64)])
        _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
        means = np.stack([np.bincount(number, each) / counts for each in pairs])
        drawn = np.empty((2, resamples, len(counts)))
        for group, count in enumerate(counts):
            own = pairs[:, number == group]
            if count == 1:
                own = own + pairs[:, rng.integers(0, len(a), 2 * FEW)] - pairs.mean(axis=1, keepdims=True)
            drawn[:, :, group] = pairs_of_means(own, 1 if count == 1 else count - 1, rng, resamples)
        apart = np.abs(pairs[0] - pairs[1])
        return _Drawn(means, drawn, counts, int(np.count_nonzero(apart)), float(apart.mean()))

    def draws(self, *, swapped: bool = False) -> Floats:
        """What resampling says of the gap of a less that of b, or of b less that of a; sorted (R,)."""
        first, second = (1, 0) if swapped else (0, 1)
        return gap_draws((self.means[first], self.means[second]), (self.drawn[first], self.drawn[second]))

    @property
    def gaps(self) -> Floats:
        """The largest gap (2,) under either model."""
        gaps: Floats = np.ptp(self.means, axis=1)
        return gaps

    def beside(self, value: float) -> _Drawn:
        """With one more group, which has this mean under both models, for certain."""
        means = np.concatenate([self.means, np.full((2, 1), value)], axis=1)
        drawn = np.concatenate([self.drawn, np.full((*self.drawn.shape[:2], 1), value)], axis=2)
        return _Drawn(means, drawn, self.counts, self.differing, self.spread)

    def floor(self, value: float, span: float, least: int) -> Floor | None:
        """The least that can be unknown, where few images differ or are in a group.

        `least` groups of the smallest are what a number rests on.
        """
        if min(self.differing, int(self.counts.min())) >= FEW:
            return None
        behind = 1 / float(np.sum(1 / np.sort(self.counts)[:least]))
        return Floor.of(value, self.spread, behind, span)


def group_gap_difference(  # noqa: PLR0913 - resampling has its own three
    a: Numbers,
    b: Numbers,
    groups: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    span: float = 1.0,
) -> Bootstrap:
    """Bootstrap the gap of a minus the gap of b, each the largest minus the smallest mean of a group.

    A gap is overestimated where groups are truly close: it is the largest of many errors. The value keeps that bias (it
    cancels only where both models have like gaps); the interval is widened to allow for it, and covers more than it
    says where gaps are alike.
    """
    drawn = _Drawn.of(a, b, groups, rng, resamples)
    value = float(drawn.gaps[0] - drawn.gaps[1])
    return Bootstrap(value, drawn.draws(), drawn.floor(value, span_of(a, b, span), least=2))


def lowest_group_difference(  # noqa: PLR0913 - resampling has its own three
    a: Numbers,
    b: Numbers,
    groups: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    span: float = 1.0,
) -> Bootstrap:
    """Bootstrap the lowest mean of a group under a less the lowest under b, which may be that of another group.

    It is the gap of b less that of a if one group had a mean far above all others under both.
    """
    drawn, span = _Drawn.of(a, b, groups, rng, resamples), span_of(a, b, span)
    lowest = drawn.means.min(axis=1)
    value = float(lowest[0] - lowest[1])
    far = drawn.beside(float(max(a.max(), b.max())) + 10 * span)
    return Bootstrap(value, far.draws(swapped=True), drawn.floor(value, span, least=1))


def larger_gap_difference(  # noqa: PLR0913 - resampling has its own three
    a: Numbers,
    b: Numbers,
    groups: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    span: float = 1.0,
) -> Bootstrap:
    """Bootstrap the larger of two gaps under a less the larger under b, as of equalized odds.

    The images are of two kinds, which share none; `groups` (N,) holds 2 x group + kind. If the larger gap under a is
    truly that of kind i, and under b that of kind j, the difference is that of those two gaps, at most that of i's own
    and at least that of j's. Which they are is known up to the kinds whose gap is within two standard errors of the
    larger one; each end is the tighter of what these bounds leave possible.

    Raises:
        ValueError: neither kind has two groups.
    """
    parts = [(groups % 2 == kind) for kind in (0, 1)]
    kinds = [_Drawn.of(a[of], b[of], groups[of] // 2, rng, resamples) for of in parts if of.any()]
    kinds = [kind for kind in kinds if len(kind.counts) > 1]
    if not kinds:
        raise ValueError("a gap takes two groups, and no kind of images has them")
    gaps = np.stack([kind.gaps for kind in kinds])
    value = float(gaps[:, 0].max() - gaps[:, 1].max())
    floors = [kind.floor(value, span_of(a, b, span), least=2) for kind in kinds]
    widest = min((floor for floor in floors if floor is not None), key=lambda one: one.n, default=None)
    return Bootstrap(value, _larger_draws(kinds, gaps), widest)


def _larger_draws(kinds: Sequence[_Drawn], gaps: Floats) -> Floats:
    """What resampling says of the larger gap of a less the larger gap of b: sorted (R,)."""
    plain = np.sort(_larger(kinds, 0) - _larger(kinds, 1))
    near = [_near(kinds, gaps, model) for model in (0, 1)]
    own = {index: kinds[index].draws() for index in {*near[0], *near[1]}}
    crossed = [own[i] if i == j else _crossed(kinds[i], kinds[j]) for i in near[0] for j in near[1]]
    low = np.maximum(np.min(crossed, axis=0), np.min([own[j] for j in near[1]], axis=0))
    high = np.minimum(np.max(crossed, axis=0), np.max([own[i] for i in near[0]], axis=0))
    half = len(plain) // 2
    return np.concatenate([np.minimum(low, plain)[:half], np.maximum(high, plain)[half:]])


def _larger(kinds: Sequence[_Drawn], model: int) -> Floats:
    """The larger gap (R,) of a model in each resample."""
    return np.asarray(np.max([np.ptp(kind.drawn[model], axis=1) for kind in kinds], axis=0), np.float64)


def _near(kinds: Sequence[_Drawn], gaps: Floats, model: int) -> list[int]:
    """The kinds that may truly have the larger gap under a model."""
    errors = np.array([np.ptp(kind.drawn[model], axis=1).std() for kind in kinds])
    top = int(gaps[:, model].argmax())
    return np.flatnonzero(gaps[:, model] >= gaps[top, model] - _NEAR * np.hypot(errors, errors[top])).tolist()


def _crossed(one: _Drawn, other: _Drawn) -> Floats:
    """What resampling says of the gap of a in one kind less that of b in the other; they share no image."""
    return gap_draws((one.means[0], other.means[1]), (one.drawn[0], other.drawn[1]), same_groups=False)
