"""A traffic light for each axis, and the one number of it that a reader should hear first, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from efficiency360.radii import EPS, told
from efficiency360.render.attacks import ends
from efficiency360.render.naming import middle
from efficiency360.render.text import allowed, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from efficiency360.records import Caveat, Measurement, RuleResult
    from efficiency360.render.axis_views import AxisView
    from efficiency360.render.results import RuleView

Colour = Literal["good", "bad", "open", "plain", "failed", "unknown"]
"""Within all limits; breaks one; something is undecided, waived, warned of or in doubt; measured, but no rule speaks of
it; could not be measured; was not measured."""

FIRST: Final[Mapping[str, tuple[str, ...]]] = {
    "cost": ("cost.macs",),
    "speed": ("speed.latency_ms",),
    "accuracy": ("accuracy.top1",),
    "uncertainty": ("uncertainty.ece",),
    "robustness": ("robustness.adversarial_accuracy", "robustness.mean_corruption_accuracy"),
    "privacy": ("privacy.mia_auc", "privacy.dp_accuracy"),
    "fairness": ("fairness.accuracy_gap",),
    "transparency": ("transparency.insertion_gain", "transparency.deletion_gain"),
}
"""What is told of an axis where no rule is in the way."""
_NAMED: Final = 60
_COUNTS: Final = frozenset({"parameters", "MACs", "FLOPs", "elements"})
_SHARES = {"p50": "50", "p95": "95", "p99": "99"}


@dataclass(frozen=True)
class Light:
    """The state of an axis, a sentence on its most telling number, and one on the rule in the way (empty: none is)."""

    axis: AxisView
    colour: Colour
    sentence: str
    limit: str


def lights(
    axes: Iterable[AxisView], views: Sequence[RuleView], words: Mapping[str, Any], say: Callable[[str], str]
) -> tuple[Light, ...]:
    """The lights of axes.

    Args:
        axes: those to show.
        views: the results of all rules, the most urgent first.
        words: the prose of the language.
        say: turns a phrase of ours, such as a limit, into the language.
    """
    return tuple(_light(axis, [view for view in views if _of(view) == axis.id], words, say) for axis in axes)


def colour(axis: AxisView, results: Iterable[RuleResult]) -> Colour:
    """The state of an axis in the light of the rules on it."""
    if axis.state == "failed":
        return "failed"
    if axis.state in {"skipped", "absent"}:
        return "unknown"
    told_of = [result for result in results if result.severity != "info"]
    if any(result.stands_in_the_way and result.outcome == "fail" for result in told_of):
        return "bad"
    if any(result.outcome != "pass" for result in told_of) or _doubted(axis.caveats):
        return "open"
    return "good" if told_of else "plain"


def sentence(found: Measurement, words: Mapping[str, Any], title: str, say: Callable[[str], str] = str) -> str:
    """What a measurement says, as a sentence of its own where there is one."""
    blanks = {
        **{key: told(value) if key == EPS else say(middle(str(value), _NAMED)) for key, value in found.params.items()},
        "value": together(_counted(found, words["light"]["counts"]) or say(quantity(found.value, found.unit))),
        "points": f"{100 * found.value:.1f}".removesuffix(".0"),
        "share": _SHARES.get(str(found.params.get("stat")), ""),
        "title": title,
    }
    known = words["light"]["sentence"].get(found.name, "")
    if not known or (found.name == "speed.latency_ms" and not blanks["share"]):
        known = words["light"]["generic"]
    try:
        return str(known.format(**blanks))
    except KeyError:  # a scorecard whose params are others than ours
        return str(words["light"]["generic"].format(**blanks))


def _light(axis: AxisView, views: Sequence[RuleView], words: Mapping[str, Any], say: Callable[[str], str]) -> Light:
    state = colour(axis, (view.result for view in views))
    if axis.record is None or axis.state not in {"scored", "unscored"}:
        return Light(axis, state, "", "")
    worst = next((view for view in views if view.measurement and view.result.outcome != "pass"), None)
    in_the_way = worst.measurement if worst and worst.result.severity != "info" else None
    found = in_the_way or _first(axis, views)
    said = _at_radii(found, axis.record.measurements, words) or sentence(found, words, axis.naming(found.name), say)
    return Light(axis, state, said, _limit(worst, words, say))


def _at_radii(found: Measurement, among: Sequence[Measurement], words: Mapping[str, Any]) -> str:
    """What attacks of several radii leave: the mildest alone would hide what the strongest does."""
    both = ends(found, among)
    if both is None:
        return ""
    (small, left), (large, least) = ((told(one.params[EPS]), together(quantity(one.value, one.unit))) for one in both)
    return str(words["light"]["radii"].format(small=small, left=left, large=large, least=least))


def _first(axis: AxisView, views: Sequence[RuleView]) -> Measurement:
    """The number to tell first: one that a rule speaks of, the worst of its name, else any."""
    assert axis.record is not None  # noqa: S101 - the caller looked
    there = axis.record.measurements
    ruled = {id(view.measurement) for view in views}
    for name in FIRST.get(axis.id, ()):
        if same := [one for one in there if one.name == name]:
            return next((one for one in same if id(one) in ruled), _worst(same))
    return next((view.measurement for view in views if view.measurement), there[0])


def _worst(same: Sequence[Measurement]) -> Measurement:
    better = same[0].better
    if better is None or same[0].name == "speed.latency_ms":
        return same[0]
    if same[0].name.startswith("transparency."):  # the best explanation is the one to use
        return max(same, key=lambda one: one.value)
    return (min if better == "higher" else max)(same, key=lambda one: one.value)


def _limit(view: RuleView | None, words: Mapping[str, Any], say: Callable[[str], str]) -> str:
    """What the rule in the way asks for."""
    if view is None or view.result.severity == "info":
        return ""
    relative = view.result.bound == "no_worse_than_baseline"
    return str(words["light"]["limit_change" if relative else "limit"].format(limit=limit(view, words, say)))


def limit(view: RuleView, words: Mapping[str, Any], say: Callable[[str], str]) -> str:
    """A limit in the language."""
    result = view.result
    relative = result.bound == "no_worse_than_baseline"
    much = say(allowed(result, view.unit) if relative else quantity(result.limit, view.unit))
    much = much if relative else together(much)
    return str(words["limit"][result.bound].format(limit=much))


def _counted(found: Measurement, scale: Sequence[Mapping[str, Any]]) -> str:
    """A count as people say it, `399 million`; empty where it is small, or no count."""
    step = next((one for one in scale if found.value >= one["least"]), None)
    if step is None or found.unit not in _COUNTS:
        return ""
    return str(step["word"].format(n=f"{found.value / step['least']:.3g}"))


def together(number: str) -> str:
    """A number that is not torn from its unit at the end of a line."""
    return number.replace(" ", "\N{NO-BREAK SPACE}")


def _of(view: RuleView) -> str:
    return view.result.measurement.partition(".")[0]


def _doubted(caveats: Iterable[Caveat]) -> bool:
    return any(caveat.severity == "critical" for caveat in caveats)
