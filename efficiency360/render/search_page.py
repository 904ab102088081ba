"""A search as a page of its own: the front, the architecture, and why it is as it is. Offline, without scripts.

Its words are in `templates/search.<language>.toml`, the sentences that a search makes at run time in
`templates/texts.search.<language>.toml`; where things stand in the figures is decided here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.render import html, text
from efficiency360.render.architecture import drawing
from efficiency360.render.language import speech
from efficiency360.render.wording import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from efficiency360.render.architecture import Drawing
    from efficiency360.render.wording import Language
    from efficiency360.searched import Candidate, FrontModel, Price, Searched

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 14, 40
_SHOWN_GENES = 10
_MEGA, _KILO = 1e6, 1e3


@dataclass(frozen=True)
class Dot:
    """A model in the figure: its place, its kind (`front`, `chosen`, `trained`, `stopped`), and what it is called."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True)
class Scatter:
    """Accuracy against latency: dots, the front's line as a path, and the ticks of both axes."""

    dots: tuple[Dot, ...]
    path: str
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


@dataclass(frozen=True)
class Bar:
    """A gene's share in what makes a number differ, 0 to 1."""

    gene: str
    share: float
    said: str


@dataclass(frozen=True)
class Member:
    """A model of the front with its picture and its neighbours."""

    model: FrontModel
    candidate: Candidate
    drawing: Drawing
    bound: str
    judged: str


@dataclass(frozen=True)
class Limit:
    """A limit and whether the chosen model keeps it: `pass`, `fail`, `inconclusive`, or `missing` where none is."""

    name: str
    limit: str
    found: str
    outcome: str


@dataclass(frozen=True)
class View:
    """All that the page shows, in order."""

    result: Searched
    headline: str
    outcome: str
    lead: str
    members: tuple[Member, ...]
    limits: tuple[Limit, ...]
    scatter: Scatter | None
    bars: tuple[tuple[str, tuple[Bar, ...]], ...]
    errors: str
    doubt: str
    prices: tuple[tuple[Price, str], ...]
    counts: dict[str, int]
    replay: dict[str, Any]


def render(result: Searched, replay: dict[str, Any] | None = None, language: Language = "en") -> str:
    """The page; the same result gives the same bytes. Everything in it is taken to be hostile.

    Args:
        result: the search.
        replay: what strategies reached on a table of trained models, as `benchmarks/search.py --json` writes it.
        language: `en` or `ja`.
    """
    said, spoken = words("search", language), speech(language, "texts.search")
    page = arrange(result, said, replay or {}, spoken["told"])
    return html.fill("search.html.j2", language, s=said, page=page, say=spoken["say"], width=WIDTH, height=HEIGHT)


def arrange(result: Searched, said: dict[str, Any], replay: dict[str, Any], told: Callable[[str], str] = str) -> View:
    """Put a search into words and places; `told` says a choice's name in the language."""
    by_number = {one.number: one for one in result.candidates}
    members = tuple(_member(model, by_number[model.number], said) for model in result.front)
    chosen = next((one for one in members if one.model.chosen), None)
    counts = {
        state: sum(one.state == state for one in result.candidates) for state in ("rejected", "stopped", "trained")
    }
    limits = tuple(_limits(result, chosen, said))
    doubt = _doubt(result, chosen, said)
    outcome = _worst([limit.outcome for limit in limits] + ["inconclusive"] * bool(doubt))
    return View(
        result=result,
        headline=said["none" if not chosen else "unsure" if doubt else "found"],
        outcome=outcome if chosen else "fail",
        lead=_lead(result, chosen, said),
        members=members,
        limits=limits,
        scatter=_scatter(result, said),
        bars=tuple((name, _bars(shares, told)) for name, shares in result.importance.items()),
        errors=_errors(result.latency_errors, said),
        prices=tuple((price, _shown(price.limit, price.value)) for price in result.prices),
        doubt=doubt,
        counts=counts,
        replay=replay,
    )


def _lead(result: Searched, chosen: Member | None, said: dict[str, Any]) -> str:
    if chosen is None:
        return ""
    return str(said["lead"]).format(
        name=chosen.candidate.name,
        judged=chosen.judged,
        balanced=said["balanced"] if result.balanced else "",
        ms=_ms(chosen.model.latency.p50_ms),
        params=text.quantity(chosen.candidate.params, "parameters"),
        n=len(result.front),
    )


def _doubt(result: Searched, chosen: Member | None, said: dict[str, Any]) -> str:
    """A warning where the chosen model is not surely better than one that always gives the same answer."""
    if chosen is None or chosen.model.judged_interval.low > result.guessing:
        return ""
    return str(said["no_better"]).format(judged=chosen.judged, guessing=_percent(result.guessing))


def _member(model: FrontModel, candidate: Candidate, said: dict[str, Any]) -> Member:
    around = model.judged_interval
    value, low, high = (_percent(share).removesuffix(" %") for share in (model.judged, around.low, around.high))
    judged = str(said["judged_as"]).format(value=value, low=low, high=high)
    bound = said["dash"] if model.p95_bound_ms is None else _ms(model.p95_bound_ms)
    return Member(model, candidate, drawing(model.shape, said["picture"]), bound, judged)


def _limits(result: Searched, chosen: Member | None, said: dict[str, Any]) -> Iterator[Limit]:
    """Every limit of the file against the model that was chosen; accuracy by the ends of its interval."""
    limits = result.constraints["limits"]
    for key, name in said["limit"].items():
        limit = limits.get(key) if isinstance(limits, dict) else None
        if limit is None:
            continue
        shown = _shown(key, float(limit))
        if chosen is None:
            yield Limit(name, shown, said["dash"], "missing")
            continue
        found, outcome = _kept(key, float(limit), chosen)
        yield Limit(name, shown, found, outcome)


def _kept(key: str, limit: float, chosen: Member) -> tuple[str, str]:
    one, model = chosen.candidate, chosen.model
    if key == "accuracy":
        around = model.judged_interval
        outcome = "pass" if around.low >= limit else "fail" if around.high < limit else "inconclusive"
        return chosen.judged, outcome
    values = {
        "latency_p95_ms": model.p95_bound_ms,
        "macs": float(one.macs),
        "params": float(one.params),
        "memory_mb": one.memory_bytes / _MEGA,
    }
    value = values[key]
    return ("", "inconclusive") if value is None else (_shown(key, value), "pass" if value <= limit else "fail")


def _shown(key: str, value: float) -> str:
    if key == "accuracy":
        return _percent(value)
    if key == "latency_p95_ms":
        return _ms(value)
    return f"{value:.3g} MB" if key == "memory_mb" else text.quantity(value, "MACs" if key == "macs" else "parameters")


def _worst(outcomes: Sequence[str]) -> str:
    return next((outcome for outcome in ("fail", "inconclusive") if outcome in outcomes), "pass")


def _bars(shares: dict[str, float], told: Callable[[str], str]) -> tuple[Bar, ...]:
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_GENES]
    return tuple(Bar(told(gene).replace("_", " "), share, f"{100 * share:.0f} %") for gene, share in ordered)


def _errors(errors: Sequence[float], said: dict[str, Any]) -> str:
    if not errors:
        return str(said["no_errors"])
    off = np.sort(np.abs(errors))
    return str(said["errors"]).format(
        n=len(off), median=f"{100 * np.median(off):.0f} %", most=f"{100 * off[math.ceil(0.9 * len(off)) - 1]:.0f} %"
    )


def _scatter(result: Searched, said: dict[str, Any]) -> Scatter | None:
    """Every model that was trained at all; accuracy after its last rung against the latency that can be compared."""
    drawn = [(one, one.rungs[-1].accuracy, one.latency_ms) for one in result.candidates if one.rungs and one.latency_ms]
    if not drawn:
        return None
    kinds = {model.number: "chosen" if model.chosen else "front" for model in result.front}
    low, high = (math.log10(end([ms for _, _, ms in drawn if ms]) * air) for end, air in ((min, 0.93), (max, 1.08)))
    floor = max(0.0, math.floor(20 * min(accuracy for _, accuracy, _ in drawn)) / 20)
    roof = min(1.0, math.ceil(20 * max(accuracy for _, accuracy, _ in drawn)) / 20)
    roof = roof if roof > floor else floor + 0.05

    def place(accuracy: float, ms: float) -> tuple[float, float]:
        x = _LEFT + (math.log10(ms) - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)
        return x, HEIGHT - _BOTTOM - (accuracy - floor) / (roof - floor) * (HEIGHT - _TOP - _BOTTOM)

    dots = [
        Dot(*place(accuracy, ms or 1.0), kinds.get(one.number, one.state), _titled(one, accuracy, ms or 1.0, said))
        for one, accuracy, ms in drawn
    ]
    order = {"stopped": 0, "running": 0, "trained": 1, "front": 2, "chosen": 3}
    dots.sort(key=lambda dot: order.get(dot.kind, 0))
    steps = sorted((dot.x, dot.y) for dot in dots if dot.kind in {"front", "chosen"})
    path = "".join(
        f"{'M' if index == 0 else 'H'}{x:.1f}{f' {y:.1f}' if index == 0 else f'V{y:.1f}'}"
        for index, (x, y) in enumerate(steps)
    )
    across = tuple((place(floor, tick)[0], f"{tick:.3g}") for tick in _ticks(10**low, 10**high))
    up = tuple((place(level, 1.0)[1], _percent(level)) for level in np.linspace(floor, roof, 6).tolist())
    return Scatter(tuple(dots), path, across, up)


def _titled(one: Candidate, accuracy: float, ms: float, said: dict[str, Any]) -> str:
    return str(said["dot"]).format(
        name=one.name,
        accuracy=_percent(accuracy),
        epochs=one.rungs[-1].epochs,
        ms=_ms(ms),
        state=said["state"][one.state],
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis, about six."""
    steps = (1, 2, 5) if high / low > 8 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # noqa: PLR2004 - a decade
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
    return found or [low, high]


def _percent(share: float) -> str:
    return text.quantity(share, "proportion")


def _ms(value: float) -> str:
    return f"{value:.3g} ms"
