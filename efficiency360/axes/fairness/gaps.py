"""Gaps between the groups of one attribute: accuracy, selection, error rates and calibration, and what chance makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from efficiency360.axes.proportions import proportion
from efficiency360.records import Interval, Measurement
from efficiency360.statistics.groups import (
    Shares,
    lowest_share,
    p_value,
    shuffled_tables,
    simultaneous_gap,
    smallest_ratio,
    worst_family,
)
from efficiency360.statistics.multiplicity import largest_gap
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.fairness.answers import Answers, Judged

Of = Literal["accuracy", "demographic_parity", "equalized_odds"]


@dataclass(frozen=True)
class Rates:
    """One class against the rest, of each judged group: answered so, answered so and rightly, answered so wrongly."""

    label: int
    selected: Shares
    true: Shares
    false: Shares

    @property
    def comparable(self) -> bool:
        """Whether both error rates are known of two groups; where one is not, no gap is not a gap of 0."""
        return self.true.comparable and self.false.comparable


@dataclass(frozen=True)
class Gap:
    """A largest gap with its interval and p-value; between which groups, and for which class (None: all)."""

    of: Of
    value: float
    interval: Interval
    p: float
    worst: str
    best: str
    label: str | None


class Compared:
    """The groups of one attribute, compared in accuracy and, for each of `classes`, in selection and error rates."""

    def __init__(
        self,
        judged: Judged,
        answers: Answers,
        classes: Sequence[int],
        rng: np.random.Generator,
        resamples: int,
    ) -> None:
        self.judged, self._answers, self._rng, self._resamples = judged, answers, rng, resamples
        self._classes, self._predicted = answers.classes[judged.at], answers.predicted[judged.at]
        self._right = answers.right[judged.at]
        self.right = Shares.of(self._right, judged.codes, judged.count)
        self.rates = [self._rates(label) for label in classes]
        self.odds = [one for one in self.rates if one.comparable]
        self.gaps = tuple(self._gaps())

    def _rates(self, label: int) -> Rates:
        codes, count = self.judged.codes, self.judged.count
        chosen, so = self._predicted == label, self._classes == label
        return Rates(
            label,
            Shares.of(chosen, codes, count),
            Shares.of(chosen[so], codes[so], count),
            Shares.of(chosen[~so], codes[~so], count),
        )

    @property
    def worst(self) -> Rates | None:
        """The class whose error rates differ most between groups; None where no class is compared."""
        if not self.rates:
            return None
        return self.rates[int(np.argmax([max(one.true.gap, one.false.gap) for one in self.rates]))]

    def gap(self, of: Of) -> Gap | None:
        """One of the gaps; None where there is none."""
        return next((gap for gap in self.gaps if gap.of == of), None)

    def _gaps(self) -> Iterator[Gap]:
        if self.judged.count < 2:  # noqa: PLR2004 - nothing to compare
            return
        table = np.stack([self.right.hits, self.right.n - self.right.hits], axis=1)
        shuffled = shuffled_tables(table, rng=self._rng, resamples=self._resamples)[:, :, 0]
        yield self._gap("accuracy", [self.right], [shuffled], [None])
        if self.rates:
            labels = [one.label for one in self.rates]
            selected = [one.selected for one in self.rates]
            yield self._gap("demographic_parity", selected, self._shuffled_selection(), labels)
        if self.odds:
            both = [family for one in self.odds for family in (one.true, one.false)]
            labels = [one.label for one in self.odds for _ in range(2)]
            yield self._gap("equalized_odds", both, self._shuffled_errors(), labels)

    def _gap(
        self,
        of: Of,
        families: Sequence[Shares],
        shuffled: Sequence[NDArray[np.int64]],
        labels: Sequence[int | None],
    ) -> Gap:
        interval = simultaneous_gap(families, rng=self._rng, resamples=self._resamples)
        index = worst_family(families)
        family, label = families[index], labels[index]
        names = self.judged.groups
        return Gap(
            of=of,
            value=family.gap,
            interval=interval,
            p=p_value(families, shuffled),
            worst=names[family.lowest],
            best=names[family.highest],
            label=None if label is None else self._answers.labels.name(label),
        )

    def _shuffled_selection(self) -> list[NDArray[np.int64]]:
        """For each compared class how often it is answered in each group (R, G), the groups shuffled."""
        kinds = {one.label: kind for kind, one in enumerate(self.rates)}
        table = self._table(np.ones(len(self._classes), bool), kinds)
        drawn = shuffled_tables(table, rng=self._rng, resamples=self._resamples)
        return [drawn[:, :, kinds[one.label]] for one in self.rates]

    def _shuffled_errors(self) -> list[NDArray[np.int64]]:
        """For each compared class its true and its false positives (R, G), groups shuffled among images of a label."""
        kinds = {one.label: kind for kind, one in enumerate(self.odds)}
        shape = (self._resamples, self.judged.count)
        true, false = ({label: np.zeros(shape, np.int64) for label in kinds} for _ in range(2))
        for label in np.unique(self._classes).tolist():
            table = self._table(self._classes == label, kinds)
            present = np.flatnonzero(table.sum(axis=0))
            drawn = shuffled_tables(table[:, present], rng=self._rng, resamples=self._resamples)
            for predicted, kind in kinds.items():
                if len(column := np.flatnonzero(present == kind)):
                    (true if predicted == label else false)[predicted] += drawn[:, :, column[0]]
        return [hits[one.label] for one in self.odds for hits in (true, false)]

    def _table(self, among: NDArray[np.bool_], kinds: Mapping[int, int]) -> NDArray[np.int64]:
        """How often each group (G,) is answered each compared class, and (last) any other."""
        lookup = np.full(self._answers.num_classes, len(kinds))
        lookup[list(kinds)] = list(kinds.values())
        width = len(kinds) + 1
        cell = self.judged.codes[among] * width + lookup[self._predicted[among]]
        return np.bincount(cell, minlength=self.judged.count * width).reshape(-1, width)

    def measurements(self) -> Iterator[Measurement]:
        """All numbers of the attribute."""
        name, groups = self.judged.attribute.name, self.judged.groups
        for group, hits, n in zip(groups, self.right.hits.tolist(), self.right.n.tolist(), strict=True):
            yield proportion("fairness.group_accuracy", hits, n, {"attribute": name, "group": group})
        accuracy = self.gap("accuracy")
        if accuracy is None:
            return
        yield self._difference("accuracy_gap", accuracy, self._told(accuracy))
        yield self._worst_group()
        yield from self._parity()
        yield from self._odds()
        yield self._calibration()

    def _number(  # noqa: PLR0913, PLR0917 - the fields of a measurement
        self,
        name: str,
        value: float,
        unit: str,
        better: Literal["higher", "lower"],
        interval: Interval,
        note: str,
    ) -> Measurement:
        return Measurement(
            name=f"fairness.{name}",
            value=value,
            unit=unit,
            better=better,
            n=len(self.judged.codes),
            interval=interval,
            params={"attribute": self.judged.attribute.name},
            note=note,
        )

    def _difference(self, name: str, gap: Gap, note: str) -> Measurement:
        return self._number(name, gap.value, "proportion", "lower", gap.interval, note)

    def _told(self, gap: Gap) -> str:
        """The worst and the best group with their accuracies."""
        low, high = (self.judged.groups.index(group) for group in (gap.worst, gap.best))
        return f"worst {self._group(low)}, best {self._group(high)}"

    def _group(self, index: int) -> str:
        one = proportion("fairness.group_accuracy", int(self.right.hits[index]), int(self.right.n[index]), {})
        assert one.interval is not None  # noqa: S101 - a proportion has one
        low, high = (quantity(end, "proportion") for end in (one.interval.low, one.interval.high))
        shown = quantity(one.value, "proportion")
        return f"{self.judged.groups[index]} with {shown} ({low} to {high}, {one.n} images)"

    def _worst_group(self) -> Measurement:
        index = self.right.lowest
        found = self._number(
            "worst_group_accuracy",
            float(self.right.rates[index]),
            "proportion",
            "higher",
            lowest_share(self.right),
            f"of {self._group(index)}",
        )
        return found.model_copy(update={"n": int(self.right.n[index])})

    def _parity(self) -> Iterator[Measurement]:
        gap = self.gap("demographic_parity")
        if gap is None:
            return
        yield self._difference("demographic_parity_difference", gap, self._between(gap, "is answered"))
        ratios = [smallest_ratio(one.selected, rng=self._rng, resamples=self._resamples) for one in self.rates]
        worst = int(np.argmin([value for value, _ in ratios]))
        value, interval = ratios[worst]
        note = f"class {self._answers.labels.name(self.rates[worst].label)}"
        yield self._number("demographic_parity_ratio", value, "proportion", "higher", interval, note)

    def _odds(self) -> Iterator[Measurement]:
        gap = self.gap("equalized_odds")
        if gap is None:
            return
        yield self._difference("equalized_odds_difference", gap, self._between(gap, "is answered, given the label,"))
        true = [one.true for one in self.odds]
        worst = self.odds[worst_family(true)]
        found = self._number(
            "equal_opportunity_difference",
            worst.true.gap,
            "proportion",
            "lower",
            simultaneous_gap(true, rng=self._rng, resamples=self._resamples),
            f"class {self._answers.labels.name(worst.label)}",
        )
        yield found.model_copy(update={"n": int(worst.true.n.sum())})

    def _between(self, gap: Gap, what: str) -> str:
        return f"class {gap.label} {what} least often for {gap.worst} and most often for {gap.best}"

    def _calibration(self) -> Measurement:
        """The largest difference between groups in how much surer the model is than right."""
        excess = self.excess
        means = np.bincount(self.judged.codes, excess) / self.right.n
        interval = largest_gap(excess, self.judged.codes, rng=self._rng, resamples=self._resamples)
        return self._number(
            "calibration_difference",
            float(np.ptp(means)),
            "",
            "lower",
            interval,
            f"surer than right most for {self.judged.groups[int(means.argmax())]}",
        )

    @property
    def excess(self) -> NDArray[np.float64]:
        """Of each judged image (J,) the confidence less 1 where it is right."""
        return self._answers.confidence[self.judged.at] - self._right
