"""Models timed in turns: which is faster, by how much, and how small a difference could have been shown.

Two things fool a comparison of timings. The machine drifts while one model runs and then the other; here they take
turns, in an order that is then mirrored, so that a drift that is steady over the mirrored turns cancels exactly. And a
process has luck: where its memory happens to lie makes the same model 1 to 3 % faster or slower for as long as the
process lives (Mytkowicz et al. 2009, ASPLOS XIV:265), which no number of turns averages out. So each model is started
anew several times, and such a generation of processes is the unit of the analysis.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from efficiency360.records import Caveat, Environment, Interval, SubjectRecord
from efficiency360.statistics.intervals import LEVEL
from efficiency360.strict import Number, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BEYOND = 6
Verdict = Literal["faster", "slower", "no difference shown"]


class TimedSubject(Record):
    """A model that was timed: `label` is its name in the comparison, `latency_ms` the median of all its `runs`."""

    label: str
    subject: SubjectRecord
    latency_ms: Number
    runs: int
    caveats: tuple[Caveat, ...] = ()


class Turn(Record):
    """One turn: the model `label`'s median and how many runs it is of; `generation` counts fresh starts from 1."""

    generation: int
    label: str
    median_ms: Number
    runs: int


class Comparison(Record):
    """A model against the first: its time divided by that of the first, with an interval.

    `could_show` is half the interval's width as a proportion: about the smallest difference that could be shown.
    """

    label: str
    against: str
    ratio: Number
    interval: Interval
    could_show: Number
    verdict: Verdict


class Interleaved(Record):
    """All that an interleaved comparison found; `turns` are in the order in which they were taken."""

    schema_version: Literal[1] = 1
    generations: int
    turns_each: int
    turn_s: Number
    seconds: Number
    environment: Environment
    subjects: tuple[TimedSubject, ...]
    comparisons: tuple[Comparison, ...]
    caveats: tuple[Caveat, ...]
    turns: tuple[Turn, ...]


def generations_for(comparisons: int, level: float = LEVEL) -> int:
    """How many generations leave six subset means outside each end of every interval: 8 for one comparison, 9 for two.

    With fewer the interval reaches from the smallest difference to the largest, and one unlucky process decides.
    """
    return math.ceil(math.log2(2 * _BEYOND * comparisons / (1 - level)))


def differences(ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of each model's time over the first's, in each generation.

    Of each pair of mirrored turns the mean of the logarithms is taken, which a steady drift shifts alike for all; of
    the pairs the median, so that a neighbour's burst within less than half of them does not count.

    Args:
        ms: (G, K, T) medians of turns in milliseconds; turns 2 i and 2 i + 1 are mirrored, T is even.

    Returns:
        (G, K - 1).
    """
    generations, models, turns = ms.shape
    logs = np.log(ms).reshape(generations, models, turns // 2, 2).mean(axis=3)
    found: NDArray[np.float64] = np.median(logs[:, 1:] - logs[:, :1], axis=2)
    return found


def typical_interval(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    """An interval for the centre of independent values, each symmetric about it: Hartigan's typical values.

    The centre falls with equal probability between any two neighbours of the 2^n - 1 means of subsets, whatever the
    distributions are, and be they different (Hartigan 1969, JASA 64:1303). So the interval between two of them, as
    many from either end, covers the centre with at least `level`: exactly, without normality, and an outlier pulls one
    end only. The difference of two processes of one model is symmetric, because which is called A is chance.

    Args:
        values: (n,), n <= 20.
        level: confidence level in (0, 1); `generations_for` says how many values it takes.

    Raises:
        ValueError: too few values for this level.
    """
    n = len(values)
    beyond = math.floor(2**n * (1 - level) / 2 + 1e-9)
    if beyond < 1:
        raise ValueError(f"{n} values give no interval at level {level}")
    members = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
    means = np.sort(members @ values / members.sum(axis=1))
    return float(means[beyond - 1]), float(means[-beyond])


def compare(ms: NDArray[np.float64], labels: Sequence[str], level: float = LEVEL) -> tuple[Comparison, ...]:
    """Each model against the first.

    With several comparisons each interval has level 1 - (1 - level) / comparisons (Bonferroni), so that all of them
    hold together with `level`; a verdict is what its interval says.

    Args:
        ms: as for `differences`.
        labels: the K names.
        level: confidence that all intervals hold together.
    """
    found = differences(ms)
    each = 1 - (1 - level) / found.shape[1]
    return tuple(_one(found[:, index], labels[index + 1], labels[0], each) for index in range(found.shape[1]))


def _one(values: NDArray[np.float64], label: str, against: str, level: float) -> Comparison:
    low, high = typical_interval(values, level)
    verdict: Verdict = "faster" if high < 0 else "slower" if low > 0 else "no difference shown"
    return Comparison(
        label=label,
        against=against,
        ratio=math.exp(float(values.mean())),
        interval=Interval(low=math.exp(low), high=math.exp(high), level=level, method="typical values"),
        could_show=math.expm1((high - low) / 2),
        verdict=verdict,
    )
