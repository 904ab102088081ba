"""The end of a search: time the front again, judge it on images kept for that, explain, and write it all down."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.engine.environment import cpu_name
from efficiency360.files import write_atomic
from efficiency360.search import explain, latency
from efficiency360.search.analytic import cost_of
from efficiency360.search.lightest import lightest
from efficiency360.search.records import all_seen
from efficiency360.search.run import accuracy_of, best, latency_of, models_of
from efficiency360.search.score import front, netscore
from efficiency360.searched import Cost, FrontModel, Left, Machine, Searched, Shape, StageShape
from efficiency360.statistics.intervals import mean_recall, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.search.data import Images
    from efficiency360.search.run import Reporter
    from efficiency360.search.space import SearchSpace
    from efficiency360.search.store import Store
    from efficiency360.searched import Candidate
    from efficiency360.zoo.spec import TurboViTSpec

RESULT, FRONT = "search.json", "front"
_SECONDS, _STRETCHES = 0.15, 20


@dataclass(frozen=True)
class Asked:
    """What was asked for, the strategy and the data by name; and why no energy could be measured."""

    strategy: str
    data: str
    no_energy: str = ""


def finish(space: SearchSpace, images: Images, store: Store, asked: Asked, reporter: Reporter) -> Searched:
    """Measure the front again, explain, and write `search.json` and the models of the front into the folder."""
    candidates = store.candidates()
    reporter.stage("Timing the front again, its models in turns")
    models, left = _measured(space, candidates)
    members = [one for one in candidates if one.number in {model.number for model in models}]
    schedule = space.constraints.training.schedule
    rejected, untried = explain.neighbours(space, candidates, members, {one.number for one in left})
    result = Searched(
        title=space.constraints.title,
        strategy=asked.strategy,
        constraints=space.constraints.model_dump(mode="json", exclude={"data"}),
        fingerprint=space.constraints.fingerprint,
        data=Path(asked.data).name,
        data_fingerprint=images.identity,
        classes=images.classes,
        images=images.counts,
        balanced=space.constraints.training.balanced,
        guessing=images.guessing(balanced=space.constraints.training.balanced),
        together=images.together,
        machine=_machine(space),
        cost=_cost(store, candidates, asked.no_energy),
        candidates=tuple(candidates),
        front=tuple(models),
        left=tuple(left),
        correlations=tuple(explain.correlations(candidates, schedule)),
        latency_errors=tuple(
            one.predicted_ms / one.latency_ms - 1 for one in candidates if one.predicted_ms and one.latency_ms
        ),
        importance=explain.importance(space, all_seen(candidates, schedule)),
        prices=tuple(explain.prices(space, candidates, members)),
        neighbours=tuple(rejected),
        untried=untried,
        nearest="" if models else explain.nearest(space, candidates),
    )
    _write(store.folder, members, result)
    return result


def _measured(space: SearchSpace, candidates: Sequence[Candidate]) -> tuple[list[FrontModel], list[Left]]:
    """The front by latency measured side by side; who may miss the limit leaves it, and who was behind moves up."""
    limit = space.constraints.limits.latency_p95_ms
    times: dict[int, latency.Timed] = {}
    left: dict[int, float] = {}
    pace = space.spec(lightest(space))
    while True:
        members = best([one for one in candidates if one.number not in left], space)
        new = [one for one in members if one.number not in times]
        found = latency.measure(
            [space.spec(one.genome) for one in new],
            pace,
            threads=space.constraints.machine.threads,
            seconds=_SECONDS,
            stretches=_STRETCHES,
        )
        times |= {one.number: timed for one, timed in zip(new, found, strict=True)}
        late = [one for one in members if limit is not None and not _within(times[one.number], limit)]
        left |= {one.number: _bound(times[one.number]) or times[one.number].p95_ms for one in late}
        if not late:
            break
    points = [(one.rungs[-1].accuracy, times[one.number].p50_ms) for one in members]
    members = [members[index] for index in front(points)]
    models = [_model(space, one, times[one.number]) for one in members]
    if models:
        top = max(range(len(models)), key=lambda index: models[index].netscore)
        models[top] = models[top].model_copy(update={"chosen": True})
    return models, [Left(number=number, p95_bound_ms=bound) for number, bound in left.items()]


def _bound(timed: latency.Timed) -> float | None:
    """Upper end of the 95th percentile's interval, with what is allowed for drift."""
    return None if timed.p95 is None else timed.p95.high * (1 + latency.ALLOWANCE)


def _within(timed: latency.Timed, limit: float) -> bool:
    bound = _bound(timed)
    return bound is not None and bound <= limit


def _model(space: SearchSpace, one: Candidate, timed: latency.Timed) -> FrontModel:
    right, n = (np.array(counts) for counts in one.judged or ((0,), (1,)))
    balanced, accuracy = space.constraints.training.balanced, one.rungs[-1].accuracy
    return FrontModel(
        number=one.number,
        netscore=netscore(accuracy, one.params, one.macs, timed.p50_ms, space.constraints.netscore),
        accuracy=accuracy,
        judged=accuracy_of(right, n, balanced=balanced),
        judged_interval=mean_recall(right, n) if balanced else wilson(int(right.sum()), int(n.sum())),
        latency=latency_of(timed),
        p95_bound_ms=_bound(timed),
        shape=shape_of(space.spec(one.genome)),
    )


def shape_of(spec: TurboViTSpec) -> Shape:
    """An architecture as the report draws it."""
    cost = cost_of(spec)
    tokens, stages = spec.grid[0] * spec.grid[1], []
    for stage, costs in zip(spec.stages, cost.stages, strict=True):
        stages.append(
            StageShape(
                depth=stage.depth,
                width=stage.width[0],
                heads=stage.heads[0],
                mlp_ratio=stage.mlp_ratio[0],
                attention=stage.attention[0],
                pool=stage.pool,
                tokens_in=tokens,
                tokens=costs.tokens,
                units=spec.units,
                share=costs.macs / cost.macs,
            )
        )
        tokens = costs.tokens
    return Shape(
        size=spec.size,
        channels=spec.channels,
        patch=spec.stem.stride,
        unit=spec.unit,
        classes=spec.classes,
        stem_share=cost.stem_macs / cost.macs,
        stages=tuple(stages),
    )


def _write(folder: Path, members: Sequence[Candidate], result: Searched) -> None:
    """The front's models, each in a folder of its own, then `search.json`."""
    there = {one.name for one in members}
    for old in (folder / FRONT).glob("m*"):
        if old.name not in there:
            shutil.rmtree(old, ignore_errors=True)
    for one in members:
        for file in sorted(models_of(folder, one).iterdir()):
            if file.is_file() and not file.name.startswith("."):
                write_atomic(folder / FRONT / one.name / file.name, file.read_bytes())
    write_atomic(folder / RESULT, (result.model_dump_json(indent=1) + "\n").encode())


def _cost(store: Store, candidates: Sequence[Candidate], energy: str) -> Cost:
    spent = store.all_spent
    joules = [one for _, one in spent if one is not None]
    known = bool(joules) and len(joules) == len(spent)
    return Cost(
        minutes=sum(seconds for seconds, _ in spent) / 60,
        training_minutes=sum(rung.seconds for one in candidates for rung in one.rungs) / 60,
        processes=len(spent),
        energy_j=sum(joules) if known else None,
        energy_missing="" if known else energy,
    )


def _machine(space: SearchSpace) -> Machine:
    return Machine(
        cpu=cpu_name(),
        processors=os.cpu_count() or 1,
        threads=space.constraints.machine.threads,
        versions={name: version(name) for name in ("torch", "optuna", "numpy", "efficiency360")},
    )
