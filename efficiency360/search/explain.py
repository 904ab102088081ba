"""Why a search found what it found: what drives accuracy and latency, what limits cost, who was rejected and why."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.search.analytic import cost_of
from efficiency360.search.inquisitor import plain
from efficiency360.search.latency import LatencyModel
from efficiency360.search.lightest import told
from efficiency360.search.optuna_draws import distributions, optuna, params
from efficiency360.search.predictor import AccuracyModel
from efficiency360.search.proxy_names import NAMES
from efficiency360.search.records import all_seen, gains_of, seen_of
from efficiency360.search.score import Seen, overshoot
from efficiency360.search.space import key_of
from efficiency360.searched import Correlation, Neighbour, Price
from efficiency360.statistics.correlation import spearman

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from efficiency360.search.space import Genome, SearchSpace
    from efficiency360.searched import Candidate

_FEWEST = 8
_TREES = 64


def correlations(candidates: Sequence[Candidate], schedule: Sequence[int]) -> Iterator[Correlation]:
    """Of each proxy, and of the plain counts beside them, with accuracy on the rung that most candidates reached."""
    trained = [one for one in candidates if one.rungs]
    if not trained:
        return
    counts = Counter(rung.epochs for one in trained for rung in one.rungs)
    epochs = max(counts, key=lambda rung: (counts[rung], rung))
    rows = [(one, rung.accuracy) for one in trained for rung in one.rungs if rung.epochs == epochs]
    scores: dict[str, Callable[[Candidate], float | None]] = {
        **{name: lambda one, name=name: one.proxies.get(name) for name in NAMES},  # type: ignore[misc]
        "macs": lambda one: float(one.macs),
        "params": lambda one: float(one.params),
    }
    if len(schedule) > 1 and epochs != schedule[0]:
        scores["first rung"] = lambda one: one.rungs[0].accuracy
    for name, of in scores.items():
        pairs = [(value, accuracy) for one, accuracy in rows if (value := of(one)) is not None]
        x, y = (np.array([pair[index] for pair in pairs], np.float64) for index in (0, 1))
        if found := spearman(x, y):
            yield Correlation(score=name, rho=found[0], interval=found[1], n=len(pairs))


def importance(space: SearchSpace, seen: Sequence[Seen]) -> dict[str, dict[str, float]]:
    """The share of each gene in what makes accuracy, and latency, differ; empty where too few were seen.

    Source: Hutter, Hoos and Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, 2014 (fANOVA),
    as Optuna has it.
    """
    values: dict[str, Callable[[Seen], float | None]] = {
        "accuracy": lambda one: one.accuracy,
        "latency": lambda one: math.log(one.latency_ms) if one.latency_ms else None,
    }
    found = {}
    for name, of in values.items():
        rows = [(one, value) for one in seen if (value := of(one)) is not None]
        if len(rows) >= _FEWEST and np.ptp([value for _, value in rows]) > 0:
            found[name] = _importance(space, [(one.genome, float(value)) for one, value in rows])
    return found


def _importance(space: SearchSpace, rows: Sequence[tuple[Genome, float]]) -> dict[str, float]:
    package = optuna()
    study = package.create_study()
    kinds = distributions(space)
    for genome, value in rows:
        study.add_trial(package.trial.create_trial(value=value, params=params(space, genome), distributions=kinds))
    evaluator = package.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = package.importance.get_param_importances(study, evaluator=evaluator)
    return {gene: round(float(share), 4) for gene, share in shares.items()}


def prices(space: SearchSpace, candidates: Sequence[Candidate], front: Sequence[Candidate]) -> Iterator[Price]:
    """What each limit did to the models looked at, and to those one step from the front.

    The latter were mostly left out before they were looked at. Accuracy of those that a limit kept from training is as
    expected from all that were trained.
    """
    schedule = space.constraints.training.schedule
    seen = all_seen(candidates, schedule)
    model = AccuracyModel(space, schedule[-1])
    ready = model.learn(seen)
    seen += _beyond(space, seen, front)
    missed = [{key for key, by in overshoot(one, space.constraints.limits).items() if by > 0} for one in seen]
    for key in ("latency_p95_ms", "macs", "params", "memory_mb", "accuracy"):
        limit = getattr(space.constraints.limits, key)
        if limit is None:
            continue
        alone = [one for one, keys in zip(seen, missed, strict=True) if keys == {key}]
        price = Price(limit=key, value=limit, missed=sum(key in keys for keys in missed), alone=len(alone))
        if alone and ready and key != "accuracy":
            mean, deviation = model.predict(alone)
            top = int(np.argmax(mean))
            price = price.model_copy(update={"expected": float(mean[top]), "deviation": float(deviation[top])})
        yield price


def _beyond(space: SearchSpace, seen: Sequence[Seen], front: Sequence[Candidate]) -> list[Seen]:
    """The neighbours of the front that were not looked at, with costs in closed form and latency as predicted."""
    timed = [(space.spec(one.genome), one.latency_ms, one.p95_ms or one.latency_ms) for one in seen if one.latency_ms]
    times = LatencyModel([spec for spec, _, _ in timed], [ms for _, ms, _ in timed], [p95 / ms for _, ms, p95 in timed])
    known = {one.key for one in seen}
    found: dict[str, Seen] = {}
    for genome in (other for model in front for _, other in space.neighbours(model.genome)):
        if (key := key_of(genome)) not in known:
            cost, ms = cost_of(space.spec(genome)), times.predict(space.spec(genome))
            p95 = None if ms is None else ms * times.jitter
            found[key] = Seen(genome, key, cost.macs, cost.params, cost.memory_bytes, latency_ms=ms, p95_ms=p95)
    return list(found.values())


def neighbours(
    space: SearchSpace, candidates: Sequence[Candidate], front: Sequence[Candidate], late: Collection[int]
) -> tuple[list[Neighbour], int]:
    """Of each front model the neighbours that were looked at and why they are not on it, and how many were not.

    `late` are the numbers of those that left the front when they were timed again.
    """
    by_key = {key_of(one.genome): one for one in candidates}
    there = {key_of(one.genome) for one in front}
    found, untried = [], 0
    for model in front:
        for gene, genome in space.neighbours(model.genome):
            key = key_of(genome)
            other = by_key.get(key)
            if other is None:
                untried += 1
            elif key not in there:
                change = f"{gene} {plain(model.genome[gene])} -> {plain(genome[gene])}"
                why = other.why or _missing(space, other, late) or _beaten(other, front)
                found.append(Neighbour(of=model.number, gene=gene, change=change, why=why, number=other.number))
    return found, untried


def _missing(space: SearchSpace, other: Candidate, late: Collection[int]) -> str:
    """The limit that a candidate misses most; empty where it misses none."""
    if other.number in late:
        return "timed again, its 95th percentile may be over the limit"
    missed = {key: by for key, by in overshoot(seen_of(other), space.constraints.limits).items() if by > 0}
    if not missed or not other.rungs:
        return ""
    worst = max(missed, key=lambda key: missed[key])
    return f"{other.rungs[-1].accuracy:.1%}, and it misses limits.{worst} by {missed[worst]:.0%}"


def _beaten(other: Candidate, front: Sequence[Candidate]) -> str:
    if not other.rungs or other.latency_ms is None:
        return "not finished"
    accuracy, ms = other.rungs[-1].accuracy, other.latency_ms
    for model in front:
        if model.latency_ms is not None and model.rungs[-1].accuracy >= accuracy and model.latency_ms <= ms:
            there = f"{model.rungs[-1].accuracy:.1%} at {model.latency_ms:.3g} ms"
            return f"{accuracy:.1%} at {ms:.3g} ms: {model.name} is as right and as fast ({there})"
    return f"{accuracy:.1%} at {ms:.3g} ms; timed again beside the front, it was no longer ahead"


def nearest(space: SearchSpace, candidates: Sequence[Candidate]) -> str:
    """Where no model met all limits: the limit that binds and the point that comes nearest to all."""
    gains = gains_of(candidates, space.constraints.training.schedule)
    trained = [(one, seen_of(one, gains)) for one in candidates if one.state == "trained"]
    looked = trained or [(one, seen_of(one, gains)) for one in candidates]
    if not looked:
        return "no model was looked at: give more time with --budget"
    limits = space.constraints.limits
    one, seen = min(looked, key=lambda pair: max(overshoot(pair[1], limits).values(), default=0.0))
    missed = {key: by for key, by in overshoot(seen, limits).items() if by > 0}
    if not missed:
        return "no model was trained to the end: give more time with --budget"
    binding = max(missed, key=lambda key: missed[key])
    values = {
        "accuracy": seen.accuracy,
        "latency_p95_ms": seen.p95_ms,
        "macs": seen.macs,
        "params": seen.params,
        "memory_mb": seen.memory_bytes / 1e6,
    }
    near = ", ".join(
        f"{key} {value:.4g}" for key, value in values.items() if value is not None and getattr(limits, key) is not None
    )
    return (
        f"no model met all limits: limits.{binding} = {getattr(limits, binding):g} binds; the nearest point is {near}"
        f" ({one.name}: {told(one.genome)})"
    )
