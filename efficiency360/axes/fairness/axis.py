"""Fairness: how much worse than others the model serves some groups, whether that is chance, and where the harm is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.fairness import beside, doubts, harm, kept, tables
from efficiency360.axes.fairness.answers import Answers, Judged, class_index
from efficiency360.axes.fairness.gaps import Compared
from efficiency360.axes.fairness.whatif import what_if_rows
from efficiency360.dataset.groups import Attribute, attributes_of, binned
from efficiency360.errors import AxisError, InputError
from efficiency360.records import Findings
from efficiency360.spec import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset import Dataset
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.records import Caveat, Measurement, Series
    from efficiency360.subject.subject import Subject

_MOST_PROPERTIES_MISSING = 0.05
_MOST_CELLS = 200_000
"""Groups times labels times answers."""


def _listed(value: object) -> object:
    """Text such as "race, age_group" as a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Fairness(Axis):
    """Accuracy by group, the largest gaps with simultaneous intervals and permutation p-values, and where the harm is.

    Settings: `groups`, columns of the data (`race x age_group` is their intersection; without any, properties measured
    from the images stand in, which say nothing about people, and only accuracy is compared); `min_group`, how many
    images a group needs to be judged; `positive`, the class that is the good outcome; `intersections`, up to how many
    of the groups are crossed; `bins` and `edges`, how columns of numbers are cut; `depth` of the search for subgroups;
    `resamples`. A gap is the largest less the smallest share among the judged groups. Selection and error rates are
    those of `positive` (of two classes the second, if none is named); of many classes each is compared with the rest
    and the worst named, but for those of fewer than `min_group` images. Equalized odds difference is the larger of the
    gaps in true and false positive rates (Hardt et al. 2016), as in fairlearn, but a group without a positive (or a
    negative) has no such rate rather than one of 0, and there is no difference where fewer than two groups have one.
    `calibration_difference` is of how much surer the model is than right, on average: an expected calibration error
    would be larger for small groups by chance alone. Robustness, where it ran, is broken down by the same groups.
    What would make these numbers wrong: labels that are biased themselves, which no comparison with labels can show;
    group columns that were guessed; images that the model was trained on; groups that differ in what they show, as
    children's faces do, rather than in how they are treated. A small gap between groups can hide a large one within.
    """

    id: ClassVar[str] = "fairness"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    uses: ClassVar[tuple[str, ...]] = ("accuracy",)
    where_ran: ClassVar[tuple[str, ...]] = ("robustness",)
    of_the_data: ClassVar[frozenset[str]] = frozenset({"groups", "positive", "edges"})

    groups: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)] = ()
    min_group: Annotated[int, Field(ge=2)] = 30
    positive: str | int | None = None
    intersections: Annotated[int, Field(ge=1, le=3)] = 2
    bins: Annotated[int, Field(ge=2, le=20)] = 4
    edges: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    depth: Annotated[int, Field(ge=1, le=3)] = 3
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    batch_size: Annotated[int, Field(ge=1)] = 32

    def __post_init__(self) -> None:
        """Refuse edges that cut nothing."""
        if any(not cuts for cuts in self.edges.values()):
            raise ValueError("edges: give at least one number a column, such as edges = { age = [18, 40, 65] }")

    def workload(self, images: int) -> Workload:
        """No pass through the model; without groups the images are read once more."""
        return Workload(seconds=2 + (0 if self.groups else images / 500))

    def check(self, data: Dataset) -> None:
        """Refuse groups that the data cannot make."""
        found = attributes_of(self.groups, data.columns, bins=self.bins, edges=self.edges)
        columns = {column for one in found for column in one.columns}
        for name in self.edges:
            if name not in columns:
                raise InputError(f"edges: '{name}' is not among the groups{suggest(name, sorted(columns))}")

    def check_labels(self, labels: Labels, num_classes: int) -> None:
        """Refuse a positive class that the model does not have."""
        if self.positive is not None:
            class_index(self.positive, labels, num_classes)

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:  # noqa: ARG002
        """Yield `properties` (B, 6) of the images where no groups are given, else nothing."""
        from efficiency360.dataset.properties import properties  # noqa: PLC0415 - only where no groups are given

        if data is None:
            raise AxisError("no data")
        done = 0
        for found in properties(data, self.batch_size) if not self.groups else ():
            yield {"properties": found}
            done += len(found)
            run.progress(done, len(data))

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Compare the accuracy axis's answers between groups.

        Raises:
            AxisError: no labels, groups that the data does not have, or none that is large enough to be judged.
        """
        if labels is None:
            raise AxisError("no labels")
        answers = Answers.read(evidence, labels, self.positive)
        single = self._attributes(evidence, labels)
        given = [one for one in single if len(one.columns) == 1]
        crossed = harm.crossed(single, self.intersections) if self.groups else []
        classes = answers.compared_classes(self.min_group) if self.groups else []
        rng = np.random.default_rng(len(answers.classes))
        compared = [self._compared(one, answers, classes, rng) for one in (*single, *crossed)]
        if not any(one.judged.count > 1 for one in compared):
            raise AxisError(
                f"no attribute has two groups of at least {self.min_group} images, so there is nothing to compare; take"
                " more images, or lower fairness.min_group and live with wide intervals"
            )
        return self._findings(answers, given, compared, len(single), evidence, rng)

    def _compared(
        self, attribute: Attribute, answers: Answers, classes: Sequence[int], rng: np.random.Generator
    ) -> Compared:
        """The groups of an attribute; without rates of classes where permuting all of them would take minutes."""
        judged = Judged.of(attribute, answers.rows, self.min_group)
        few = judged.count * len(classes) ** 2 <= _MOST_CELLS
        return Compared(judged, answers, classes if few else [], rng, self.resamples)

    def _findings(  # noqa: PLR0913, PLR0917 - the parts that were found
        self,
        answers: Answers,
        given: Sequence[Attribute],
        compared: Sequence[Compared],
        named: int,
        evidence: Evidence,
        rng: np.random.Generator,
    ) -> Findings:
        rows = [tables.Rows(one, answers) for one in compared]
        worst = harm.found_subgroups(
            given, answers, depth=self.depth, least=self.min_group, rng=rng, resamples=self.resamples
        )
        stressed = beside.by_group(
            beside.stresses(evidence, answers.labels), [one.judged.attribute for one in compared], self.min_group, rng
        )
        numbers: list[Measurement] = [number for one in compared for number in one.measurements()]
        series: list[Series] = [
            *tables.table("fairness.groups", "Groups", [row for one in rows for row in one.columns()]),
            *tables.table(
                "fairness.rates", "Rates of groups", [row for one in rows[:named] for row in one.rates_in_rows(rng)]
            ),
            *tables.table("fairness.gaps", "Largest gaps, and what chance makes", tables.gap_rows(compared)),
            *tables.table("fairness.subgroups", "Subgroups that fare worst", harm.subgroup_rows(worst, given)),
            *tables.table(
                "fairness.slices",
                "Classes that go wrong in one group",
                harm.slice_rows([one.judged for one in compared[:named]], answers, self.min_group),
            ),
            *tables.table(
                "fairness.thresholds",
                "What if each group had its own threshold (on held-back images)",
                [row for one in compared[:named] for row in what_if_rows(one.judged, answers, rng)],
            ),
            *tables.table("fairness.under_stress", "Groups under attack and corruption", stressed.rows),
        ]
        caveats: list[Caveat] = [
            *doubts.of_groups(compared, named, given, self.min_group),
            *doubts.of_gaps(compared, worst, given),
            *(doubts.of_classes(compared, answers, self.min_group) if self.groups else ()),
            *stressed.caveats,
            *(() if self.groups else doubts.without_groups(answers.labels)),
        ]
        return Findings(
            measurements=(*numbers, *stressed.measurements),
            series=tuple(series),
            caveats=tuple(caveats),
            samples=(*(sample for one in compared for sample in kept.samples(one, answers)), *stressed.samples),
        )

    def _attributes(self, evidence: Evidence, labels: Labels) -> list[Attribute]:
        if self.groups:
            try:
                return attributes_of(self.groups, labels.groups, bins=self.bins, edges=self.edges)
            except InputError as error:
                raise AxisError(str(error)) from error
        return self._properties(evidence, len(labels.classes))

    def _properties(self, evidence: Evidence, n: int) -> list[Attribute]:
        """Attributes from what was measured of the images: those that nearly all have, and that differ."""
        from efficiency360.dataset.properties import PROPERTIES  # noqa: PLC0415 - as above

        found = evidence.get("properties")
        if found is None or found.shape != (n, len(PROPERTIES)):
            raise AxisError("the properties of the images do not fit their number")
        readable = evidence["accuracy.readable"].astype(bool)
        made = []
        for name, column in zip(PROPERTIES, found.astype(np.float64).T, strict=True):
            known = np.isfinite(column)
            if (~known & readable).sum() <= _MOST_PROPERTIES_MISSING * n and len(np.unique(column[known])) > 1:
                codes = np.zeros(n, np.int64)
                codes[known], groups = binned(column[known], self.bins)
                codes[~known] = len(groups)
                names = (*groups, "not measured")
                made.append(Attribute(f"image {name}", codes, names, (name,), int((~known & readable).sum())))
        if not made:
            raise AxisError("no groups were given (--group), and the images do not differ in anything measured")
        return made
