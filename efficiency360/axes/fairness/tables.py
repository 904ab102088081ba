"""What the axis shows beside its numbers: every group with its rates, every gap with what chance makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.records import Measurement, Series
from efficiency360.statistics.calibration import bootstrap, cautious
from efficiency360.statistics.groups import Shares
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.fairness.answers import Answers
    from efficiency360.axes.fairness.gaps import Compared

_DIGITS = 4
_RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
_RESAMPLES = 200
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

    def measurements(self, rng: np.random.Generator) -> Iterator[Measurement]:
        """The rates of the judged groups as numbers, with intervals."""
        attribute, judged = self._compared.judged.attribute, set(self._compared.judged.groups)
        for name, shares in self.rates().items():
            for index, group in enumerate(attribute.groups):
                hits, n = int(shares.hits[index]), int(shares.n[index])
                if group in judged and n:
                    yield Measurement(
                        name=f"fairness.{name}",
                        value=hits / n,
                        unit="proportion",
                        n=n,
                        interval=wilson(hits, n),
                        params={"attribute": attribute.name, "group": group, "class": self.named},
                    )
        yield from self._surer(rng)

    def _surer(self, rng: np.random.Generator) -> Iterator[Measurement]:
        excess, codes, groups = self._compared.excess, self._compared.judged.codes, self._compared.judged.groups
        for index, group in enumerate(groups):
            mine = excess[codes == index]
            value = float(mine.mean())
            interval = bootstrap(lambda rows, mine=mine: float(mine[rows].mean()), len(mine), rng=rng, resamples=_RESAMPLES)
            yield Measurement(
                name="fairness.confidence_excess",
                value=value,
                unit="",
                n=len(mine),
                interval=cautious(interval, value, len(mine), (-1.0, 1.0)),
                params={"attribute": self._compared.judged.attribute.name, "group": group},
            )

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
            row |= {"accuracy": _short(hits / n), "low": _short(interval.low), "high": _short(interval.high)}
            row["class"] = self.named or None
            for name in _RATES:
                shares = rates.get(name)
                row[name] = _short(shares.rates[index]) if shares is not None and shares.n[index] else None
            yield row | {"confidence_excess": _short(excess[index])}


def _short(value: float) -> float:
    return round(float(value), _DIGITS)


def table(name: str, title: str, rows: Sequence[dict[str, Any]]) -> Iterator[Series]:
    """A series of these rows, the first 2000 of more; none where there is no row."""
    if rows:
        columns = {key: [row[key] for row in rows[:_ROWS]] for key in rows[0]}
        yield Series(name=name, title=title, columns=columns)


def gap_rows(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Every gap: its interval, what chance makes, and between whom it is."""
    return [
        {
            "attribute": one.judged.attribute.name,
            "gap": gap.of.replace("_", " "),
            "value": _short(gap.value),
            "low": _short(gap.interval.low),
            "high": _short(gap.interval.high),
            "p_value": _short(gap.p),
            "lowest": gap.worst,
            "highest": gap.best,
            "class": gap.label,
        }
        for one in compared
        for gap in one.gaps
    ]
