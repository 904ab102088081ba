"""What the axis shows beside its numbers: every group with its rates, every gap with what chance makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.records import Interval, Series
from efficiency360.statistics.calibration import cautious
from efficiency360.statistics.groups import Shares
from efficiency360.statistics.intervals import LEVEL, wilson
from efficiency360.statistics.multiplicity import holm
from efficiency360.statistics.resampling import means_of_resamples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.fairness.answers import Answers
    from efficiency360.axes.fairness.gaps import Compared

_DIGITS = 4
_RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
_RESAMPLES = 1000
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_ROWS = 2000


class Rows:
    """The rates of every group of an attribute, judged or not, for one class."""

    def __init__(self, compared: Compared, answers: Answers) -> None:
        self._compared, self._answers = compared, answers
        attribute = compared.judged.attribute
        self._codes, self._count = attribute.codes[answers.rows], len(attribute.groups)
        self.right = Shares.of(answers.right, self._codes, self._count)
        self.label = compared.worst.label if compared.worst else None

    @property
    def named(self) -> str:
        """The class that selection and error rates are of; empty where no class is compared."""
        return "" if self.label is None else self._answers.labels.name(self.label)

    def rates(self) -> dict[str, Shares]:
        """Selection rate, true and false positive rate of that class; none where no class is compared."""
        if self.label is None:
            return {}
        chosen, so = self._answers.predicted == self.label, self._answers.classes == self.label
        among = (np.ones(len(so), bool), so, ~so)
        return {
            name: Shares.of(chosen[mask], self._codes[mask], self._count)
            for name, mask in zip(_RATES, among, strict=True)
        }

    def excess(self) -> NDArray[np.float64]:
        """By how much the model is surer than right in each group (G,), on average; NaN for an empty one."""
        surer = self._answers.confidence - self._answers.right
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = np.bincount(self._codes, surer, self._count) / self.right.n
        return mean

    def rates_in_rows(self, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        """A row with its interval for each rate of each judged group, and for its confidence."""
        attribute, judged = self._compared.judged.attribute, set(self._compared.judged.groups)
        about = {"attribute": attribute.name, "class": self.named or None}
        for name, shares in self.rates().items():
            for index, group in enumerate(attribute.groups):
                hits, n = int(shares.hits[index]), int(shares.n[index])
                if group in judged and n:
                    rate = {"group": group, "rate": name.replace("_", " "), "n": n, "value": _short(hits / n)}
                    yield about | rate | _ends(wilson(hits, n))
        for row in self._surer(rng):
            yield about | {"class": None} | row

    def _surer(self, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        excess, codes = self._compared.excess, self._compared.judged.codes
        for index, group in enumerate(self._compared.judged.groups):
            mine = excess[codes == index]
            value, draws = float(mine.mean()), means_of_resamples(np.round(mine, 2), rng, _RESAMPLES)
            low, high = np.quantile(draws - draws.mean() + value, _TAILS)
            interval = Interval(low=min(low, value), high=max(high, value), level=LEVEL, method="bootstrap")
            interval = cautious(interval, value, len(mine), (-1.0, 1.0))
            rate = {"group": group, "rate": "confidence above accuracy", "n": len(mine), "value": _short(value)}
            yield rate | _ends(interval)

    def columns(self) -> Iterator[dict[str, Any]]:
        """A row of the table for each group that has images."""
        attribute, judged = self._compared.judged.attribute, set(self._compared.judged.groups)
        rates, excess = self.rates(), self.excess()
        for index, group in enumerate(attribute.groups):
            n = int(self.right.n[index])
            if not n:
                continue
            hits = int(self.right.hits[index])
            interval = wilson(hits, n)
            row = {"attribute": attribute.name, "group": group, "n": n, "judged": group in judged}
            row |= {"accuracy": _short(hits / n), **_ends(interval)}
            row["class"] = self.named or None
            for name in _RATES:
                shares = rates.get(name)
                row[name] = _short(shares.rates[index]) if shares is not None and shares.n[index] else None
            yield row | {"confidence_excess": _short(excess[index])}


def _ends(interval: Interval) -> dict[str, float]:
    return {"low": _short(interval.low), "high": _short(interval.high)}


def _short(value: float) -> float:
    return round(float(value), _DIGITS)


def table(name: str, title: str, rows: Sequence[dict[str, Any]]) -> Iterator[Series]:
    """A series of these rows, the first 2000 of more; none where there is no row."""
    if rows:
        columns = {key: [row[key] for row in rows[:_ROWS]] for key in rows[0]}
        yield Series(name=name, title=title, columns=columns)


def gap_rows(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Every gap: its interval, what chance makes, and between whom it is.

    `p_value` is corrected for the number of gaps (Holm 1979), as what is said of them is; `p_alone` is not.
    """
    gaps = [(one.judged.attribute.name, gap) for one in compared for gap in one.gaps]
    corrected = holm([gap.p for _, gap in gaps]).tolist()
    return [
        {
            "attribute": name,
            "gap": gap.of.replace("_", " "),
            "value": _short(gap.value),
            "low": _short(gap.interval.low),
            "high": _short(gap.interval.high),
            "p_value": _short(p),
            "p_alone": _short(gap.p),
            "lowest": gap.worst,
            "highest": gap.best,
            "class": gap.label,
        }
        for (name, gap), p in zip(gaps, corrected, strict=True)
    ]
