"""What accuracy to expect of a candidate, from all that were trained: a Gaussian process over genes, costs and proxies.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sections 2.2 and 5.4.1. Candidates that
were stopped early count too: how long each was trained is one of the inputs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.search.proxy_names import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from efficiency360.search.score import Seen
    from efficiency360.search.space import SearchSpace

_REACHES = (0.5, 1.0, 2.0)
_NOISES = (0.05, 0.2, 0.6)
_FEWEST = 4


class AccuracyModel:
    """Learns from (candidate, epochs, accuracy) and predicts a mean and a deviation.

    Without any proxy of a candidate the mean of the others stands in.
    """

    def __init__(self, space: SearchSpace, epochs: int) -> None:
        self._space, self._epochs = space, epochs
        self._ready = False

    def learn(self, seen: Sequence[Seen]) -> bool:
        """Fit to every rung of every candidate; whether that is enough to predict anything."""
        rows = [(one, epochs, accuracy) for one in seen for epochs, accuracy in one.rungs.items()]
        self._ready = len({one.key for one, _, _ in rows}) >= _FEWEST
        if not self._ready:
            return False
        raw = np.array([self._inputs(one, epochs) for one, epochs, _ in rows])
        target = np.array([accuracy for _, _, accuracy in rows])
        some = np.isfinite(raw)
        count = some.sum(axis=0).clip(min=1)
        self._centre = np.where(some, raw, 0).sum(axis=0) / count
        self._scale = np.sqrt((np.where(some, raw - self._centre, 0) ** 2).sum(axis=0) / count)
        self._scale[self._scale == 0] = 1.0
        self._middle, self._spread = float(target.mean()), float(target.std()) or 1.0
        self._x = self._standard(raw)
        self._fit((target - self._middle) / self._spread)
        return True

    def predict(self, seen: Sequence[Seen]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation (N,) of the accuracy after the last rung."""
        x = self._standard(np.array([self._inputs(one, self._epochs) for one in seen]))
        across = _kernel(x, self._x, self._reach)
        mean = across @ self._alpha
        solved = np.linalg.solve(self._root, across.T)
        variance = np.clip(1 - (solved**2).sum(axis=0), 1e-6, None)
        return self._middle + self._spread * mean, self._spread * np.sqrt(variance)

    def _fit(self, y: NDArray[np.float64]) -> None:
        """The reach and the noise under which what was seen is likeliest."""
        best = -math.inf
        for reach in _REACHES:
            plain = _kernel(self._x, self._x, reach)
            for noise in _NOISES:
                root = np.linalg.cholesky(plain + noise**2 * np.eye(len(y)))
                half = np.linalg.solve(root, y)
                evidence = -0.5 * float(half @ half) - float(np.log(np.diag(root)).sum())
                if evidence > best:
                    best, self._reach, self._root = evidence, reach, root
                    self._alpha = np.linalg.solve(root.T, half)

    def _inputs(self, seen: Seen, epochs: int) -> list[float]:
        """Genes as places among their choices, costs as logarithms, proxies, and epochs."""
        genes = [values.index(seen.genome[gene]) / (len(values) - 1) for gene, values in self._space.free.items()]
        costs = [math.log(seen.macs), math.log(seen.params), math.log(seen.memory_bytes)]
        scores = [seen.proxies.get(name, math.nan) for name in NAMES]
        return [*genes, *costs, *scores, math.log(epochs)]

    def _standard(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.nan_to_num((raw - self._centre) / self._scale, nan=0.0)
        return found.clip(-4, 4)


def _kernel(a: NDArray[np.float64], b: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Squared exponential over all inputs alike, `reach` in units of their number's root."""
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    found: NDArray[np.float64] = np.exp(-squared.clip(min=0) / (2 * a.shape[1] * reach**2))
    return found
