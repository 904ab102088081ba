"""Quality against cost, with the front of the models that no other beats: plots -> figures in words and places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from efficiency360.render import text
from efficiency360.render.charts.scatter import Scatter, Spot
from efficiency360.render.gallery import Column
from efficiency360.render.naming import told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from efficiency360.judge.comparing import Line, Table
    from efficiency360.judge.pareto import Plot
    from efficiency360.records import Measurement
    from efficiency360.render.charts.scatter import Corner

QUALITIES = (
    (Column("top1", "accuracy.top1", "higher", {}),),
    (Column("adversarial", "robustness.adversarial_accuracy", "higher", {}),),
    (
        Column("corruptions", "robustness.mean_corruption_accuracy", "higher", {}),
        Column("corruption", "robustness.corruption_accuracy", "higher", {}),
    ),
    (Column("ece", "uncertainty.ece", "lower", {"binning": "equal_mass"}),),
)
"""What models are good for; of each, the first that was measured."""
COSTS = (
    (Column("macs", "cost.macs", "lower", {}),),
    (Column("p50", "speed.latency_ms", "lower", {"stat": "p50", "batch": 1}),),
    (Column("params", "cost.params", "lower", {}), Column("weights", "cost.weights_bytes", "lower", {})),
)
"""What they cost; of each, the first that was measured."""
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_UNITS = frozenset({"MACs", "parameters", "bytes", "ms"})
"""The units that a cost may have."""
_BYTES = "B"
_LARGEST = 1e15
_FEWEST = 2


@dataclass(frozen=True)
class Remark:
    """A sentence below a figure: about a model that another beats (`fail`), or may (`inconclusive`), or about all."""

    mark: str
    text: str


@dataclass(frozen=True)
class Figure:
    """One plot. `drawing` is None where too few models can be compared; `words` are its title, axes and corner.

    `names` are those of the points.
    """

    id: str
    words: Mapping[str, str]
    description: str
    names: tuple[str, ...]
    drawing: Scatter | None
    remarks: tuple[Remark, ...]


def qualities(table: Table) -> list[Line]:
    """The lines of `QUALITIES` that at least two models have, as far as they are proportions."""
    return list(_lines(table, QUALITIES, lambda found: found.unit == "proportion"))


def costs(table: Table) -> list[Line]:
    """The lines of `COSTS` that at least two models have, as far as a figure can hold them."""
    return list(_lines(table, COSTS, _drawable))


def _drawable(found: Measurement) -> bool:
    return found.unit in _UNITS and found.value >= 0 and max(_ends(found)) <= _LARGEST


def _ends(found: Measurement) -> tuple[float, ...]:
    return (found.value, *((found.interval.low, found.interval.high) if found.interval else ()))


def _lines(table: Table, choices: Sequence[Sequence[Column]], fits: Callable[[Measurement], bool]) -> Iterator[Line]:
    for columns in choices:
        picked = (table.pick(column) for column in columns)
        usable = (
            replace(line, found=tuple(one if one and fits(one) else None for one in line.found))
            for line in picked
            if line
        )
        if line := next((line for line in usable if line.measured >= _FEWEST), None):
            yield line


def figures(plots: Sequence[Plot], names: Sequence[str], words: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Plots as figures; `names` are those of all models, `words` the prose."""
    return tuple(_figure(plot, f"figure-{index}", names, words) for index, plot in enumerate(plots, start=1))


def _figure(plot: Plot, name: str, names: Sequence[str], words: Mapping[str, Any]) -> Figure:
    unit, said = _said(plot, words)
    mine = tuple(names[point.model] for point in plot.points)
    drawing = _drawing(plot, mine, unit) if plot.drawn else None
    remarks = (*(_standings(plot, names, words) if plot.drawn else ()), *_absent(plot, names, words))
    return Figure(
        id=name,
        words=said,
        description=" ".join(_described(plot, mine, said, words)),
        names=mine,
        drawing=drawing,
        remarks=remarks,
    )


def _drawing(plot: Plot, names: Sequence[str], unit: float) -> Scatter:
    spots = (
        Spot(point.cost, point.quality, name, standing=point.standing == "front")
        for point, name in zip(plot.points, names, strict=True)
    )
    corner: Corner = "top" if plot.quality.better == "higher" else "bottom"
    return Scatter(tuple(spots), unit, corner, front=True)


def _said(plot: Plot, words: Mapping[str, Any]) -> tuple[float, dict[str, str]]:
    """What 1 on the axis of cost stands for, and the words on the figure."""
    quality, cost = (words["names"].get(line.name, text.title(line.name)) for line in (plot.quality, plot.cost))
    factor, scale = _scale(plot, words["scale"])
    return factor, {
        "title": _capital(words["title"].format(quality=quality, cost=cost)),
        "quality": quality,
        "cost": cost,
        "params": text.joined(dict(plot.quality.params)),
        "x": _capital(f"{cost} ({scale})" if scale else cost),
        "y": _capital(f"{quality} (%)"),
        "corner": words["corner"][plot.quality.better or "higher"],
    }


def _scale(plot: Plot, millions: Mapping[str, str]) -> tuple[float, str]:
    """What 1 on the axis of cost stands for, and how it is called."""
    unit = next(found.unit for found in plot.cost.found if found)
    most = max((max(_ends(point.cost)) for point in plot.points), default=0.0)
    factor, prefix = next((pair for pair in _PREFIXES if pair[0] <= most), (1.0, ""))
    if unit == "ms":
        return 1.0, unit
    return factor, prefix + _BYTES if unit == "bytes" else millions.get(prefix, "")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _described(plot: Plot, names: Sequence[str], said: Mapping[str, str], words: Mapping[str, Any]) -> Iterator[str]:
    for point, name in zip(plot.points, names, strict=True):
        yield words["point"].format(
            name=name,
            quality=said["quality"],
            value=text.quantity(point.quality.value, point.quality.unit),
            cost=said["cost"],
            price=text.quantity(point.cost.value, point.cost.unit),
            standing=words["standing"][point.standing],
        )


def _standings(plot: Plot, names: Sequence[str], words: Mapping[str, Any]) -> Iterator[Remark]:
    """Who is beaten, and who may be."""
    marks = {"beaten": "fail", "behind": "inconclusive"}
    losers: dict[tuple[str, int], list[str]] = {}
    for point in plot.points:
        if point.by is not None:
            losers.setdefault((point.standing, point.by), []).append(names[point.model])
    for (standing, by), models in sorted(losers.items()):
        yield Remark(marks[standing], words[standing].format(names=", ".join(models), by=names[by]))
    if not losers:
        yield Remark("pass", words["all_front"])


def _absent(plot: Plot, names: Sequence[str], words: Mapping[str, Any]) -> Iterator[Remark]:
    """Who is not in the figure, and why."""
    reasons: dict[str, list[str]] = {}
    for model, reason in plot.left_out:
        reasons.setdefault(reason, []).append(names[model])
    for reason, models in reasons.items():
        anchor = names[plot.anchor]
        said = told_of(reason, models, anchor)
        yield Remark("warning", words["left_out"].format(names=", ".join(models), anchor=anchor, reason=said))
    if plot.unmeasured:
        yield Remark("info", words["unmeasured"].format(names=", ".join(names[model] for model in plot.unmeasured)))
