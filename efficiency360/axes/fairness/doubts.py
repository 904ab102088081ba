"""What a reader must know of the groups: which are too small, what is missing, and which gaps chance would make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.axes.fairness import harm
from efficiency360.records import Caveat
from efficiency360.statistics.multiplicity import holm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.axes.base import Labels
    from efficiency360.axes.fairness.answers import Answers
    from efficiency360.axes.fairness.gaps import Compared
    from efficiency360.dataset.groups import Attribute
    from efficiency360.statistics.subgroups import Subgroup

_TOLD = 8
_OF = {"accuracy": "accuracy", "demographic_parity": "how often a class is answered", "equalized_odds": "error rates"}


def of_groups(compared: Sequence[Compared], named: int, given: Sequence[Attribute], least: int) -> Iterator[Caveat]:
    """Groups that are only shown, attributes that make no comparison, and images without a value.

    The first `named` attributes are those that were asked for; of the intersections that were added only the numbers
    are told.
    """
    for one in compared[:named]:
        if one.judged.small and one.judged.count > 1:
            text = (
                f"{one.judged.attribute.name}: shown, not judged, because they have fewer than {least} images:"
                f" {_sizes(one.judged.small)}."
            )
            yield Caveat(id="fairness.small_group", severity="warning", text=text)
    crossed = [one.judged for one in compared[named:] if one.judged.small and one.judged.count > 1]
    if crossed:
        counts = (f"{len(one.small)} of {len(one.small) + one.count} of {one.attribute.name}" for one in crossed)
        text = f"Intersections with fewer than {least} images are shown, not judged: {_some(list(counts))}."
        yield Caveat(id="fairness.small_group", severity="warning", text=text)
    alone = [one.judged.attribute.name for one in compared if one.judged.count < 2]  # noqa: PLR2004 - nothing to compare
    if alone:
        text = f"Not compared, because fewer than two groups have {least} images: {_some(alone)}."
        yield Caveat(id="fairness.not_compared", severity="warning", text=text)
    for attribute in given:
        if attribute.missing:
            text = (
                f"{attribute.name}: {attribute.missing} of {len(attribute.codes)} images have no value; they are a"
                " group of their own."
            )
            yield Caveat(id="fairness.missing", severity="info", text=text)


def _sizes(small: Sequence[tuple[str, int]]) -> str:
    return _some([f"{group} ({n})" for group, n in small])


def _some(texts: Sequence[str]) -> str:
    """The first eight, and how many more there are."""
    more = f" and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return f"{', '.join(texts[:_TOLD])}{more}"


def of_gaps(compared: Sequence[Compared], worst: Sequence[Subgroup], given: Sequence[Attribute]) -> Iterator[Caveat]:
    """Which gaps are more than chance, p-values corrected for their number, and which subgroup is worst."""
    gaps = [(one.judged.attribute.name, gap) for one in compared for gap in one.gaps]
    adjusted = holm([gap.p for _, gap in gaps]).tolist()
    beyond = [(name, gap.of) for (name, gap), p in zip(gaps, adjusted, strict=True) if p <= harm.ALPHA]
    if beyond:
        parts = (f"{what} by {by}" for of, what in _OF.items() if (by := ", ".join(n for n, o in beyond if o == of)))
        text = (
            f"Groups differ by more than chance makes (p up to {harm.ALPHA}, corrected for {len(gaps)} comparisons):"
            f" {'; '.join(parts)}."
        )
        yield Caveat(id="fairness.beyond_chance", severity="warning", text=text)
    if len(gaps) > len(beyond):
        text = f"{len(gaps) - len(beyond)} of {len(gaps)} gaps are no larger than chance could make them."
        yield Caveat(id="fairness.within_chance", severity="info", text=text)
    if worst and worst[0].p <= harm.ALPHA:
        one = worst[0]
        text = (
            f"The subgroup that fares worst is {harm.described(one, given)}: {100 * one.hits / one.n:.1f} % right of"
            f" {one.n} images (p = {one.p:.2g} for the whole search)."
        )
        yield Caveat(id="fairness.worst_subgroup", severity="warning", text=text)


def of_classes(compared: Sequence[Compared], answers: Answers, least: int) -> Iterator[Caveat]:
    """Classes that are too rare to be compared, and groups that have none of a class."""
    classes = answers.compared_classes(least)
    left_out = 0 if answers.positive is not None else answers.num_classes - len(classes)
    if left_out:
        which = f"{left_out} of {answers.num_classes} classes"
        text = f"{which} have fewer than {least} images; their rates were not compared."
        yield Caveat(id="fairness.rare_classes", severity="info", text=text)
    many = [one.judged.attribute.name for one in compared if not one.rates and one.judged.count > 1]
    if classes and many:
        text = (
            f"How often each class is answered was not compared by {_some(many)}: too many classes for so many groups."
            " Name one class with fairness.positive to compare that one."
        )
        yield Caveat(id="fairness.too_many_rates", severity="warning", text=text)
    without = [
        one.judged.attribute.name
        for one in compared
        if any(not (rates.true.known.all() and rates.false.known.all()) for rates in one.rates)
    ]
    unknown = [one.judged.attribute.name for one in compared if one.rates and not one.odds and one.judged.count > 1]
    if unknown:
        text = (
            f"No error rates were compared by {', '.join(unknown)}: fewer than two judged groups have images of a class"
            " and of the others."
        )
        yield Caveat(id="fairness.no_odds", severity="warning", text=text)
    if without:
        text = (
            f"Some groups of {', '.join(without)} have no image of a class, or none of the others: there its rate is"
            " not known, and is left out."
        )
        yield Caveat(id="fairness.no_rate", severity="info", text=text)


def without_groups(labels: Labels) -> Iterator[Caveat]:
    """Say that properties of the images stand in for groups, and which columns might have been named."""
    columns = f" Columns of the data: {', '.join(labels.groups)}." if labels.groups else ""
    text = (
        "No groups were given (--group): properties measured from the images stand in. They say nothing about people."
        f"{columns}"
    )
    yield Caveat(id="fairness.no_groups", severity="info", text=text)
