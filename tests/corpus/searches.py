"""A small search's result, made by hand, that says at least one of everything that a search can say."""

from __future__ import annotations

from efficiency360.records import Interval
from efficiency360.searched import (
    Candidate,
    Correlation,
    Cost,
    FrontModel,
    Latency,
    Left,
    Machine,
    Neighbour,
    Price,
    Rung,
    Searched,
    Shape,
    StageShape,
)

GENOME = {
    "size": 8,
    "patch": 2,
    "unit": 2,
    "head_width": 8,
    "stages": 2,
    "depth_1": 1,
    "width_1": 8,
    "mlp_ratio_1": 2.0,
    "attention_1": "units",
    "depth_2": 1,
    "width_2": 16,
    "mlp_ratio_2": 2.0,
    "attention_2": "global",
    "pool_2": True,
}
MISSED = (
    "no model met all limits: limits.accuracy = 0.9 binds; the nearest point is accuracy 0.812, macs 2.44e+04,"
    " latency_p95_ms 0.41, memory_mb 0.0181 (m001: size 8, patch 2, stages 1, attention_1 units, pool_2 false)"
)
ENDS = (
    ("random", "", "trained", ""),
    ("drawn", "promises most of what was looked at", "trained", ""),
    (
        "neighbour",
        "one step from a good one in attention_1",
        "stopped",
        "61.5% after 2 epochs, place 3 of 9 there",
    ),
    (
        "advice",
        "latency is 1.3 times its limit, and stage 2 has 61% of it: width_2 16 -> 8",
        "rejected",
        "the 95th percentile of latency is 12% over its limit",
    ),
    (
        "advice",
        "accuracy is below its floor, and stage 1 has only 12% of the compute: depth_1 1 -> 2",
        "stopped",
        "the time was up",
    ),
    (
        "advice",
        "stage 2 has 88% of the compute: is it worth it?: pool_2 no -> yes",
        "running",
        "its process was killed",
    ),
    ("mutation", "", "rejected", "parameters is 40% over its limit"),
)
NEIGHBOURS = (
    ("width_2 16 -> 32", "65.2% at 0.267 ms: m001 is as right and as fast (73.2% at 0.262 ms)"),
    ("attention_1 units -> global", "91.6% at 0.3 ms; timed again beside the front, it was no longer ahead"),
    ("pool_2 yes -> no", "45.0%, and it misses limits.latency_p95_ms by 12%"),
    ("mlp_ratio_1 2.0 -> 1.0", "timed again, its 95th percentile may be over the limit"),
    ("depth_1 1 -> 2", "not finished"),
    ("size 8 -> 16", "61.5% after 2 epochs, place 3 of 9 there"),
)


def found(**changes: object) -> Searched:
    """A search with two models on its front; `changes` replace fields."""
    result = Searched(
        title="Digits",
        strategy="inquisitor",
        constraints={"limits": {"accuracy": 0.6, "latency_p95_ms": 100.0, "params": 20000.0, "macs": None}},
        fingerprint="ab" * 32,
        data="digits-train",
        data_fingerprint="cd" * 32,
        classes=("0", "1"),
        images=(80, 20, 20),
        balanced=True,
        guessing=0.7,
        together=("part_id", "day"),
        machine=Machine(cpu="A processor", processors=2, threads=1, versions={"torch": "2.14.1"}),
        cost=Cost(
            minutes=7.5,
            training_minutes=4.0,
            processes=1,
            energy_missing="the processor's energy counters do not answer, and there is no NVIDIA GPU",
        ),
        candidates=tuple(candidate(number) for number in range(len(ENDS))),
        front=(front_model(0, chosen=True), front_model(1)),
        left=(Left(number=2, p95_bound_ms=496.0),),
        correlations=tuple(
            Correlation(score=score, rho=0.4, interval=Interval(low=0.2, high=0.57, level=0.95, method="fisher"), n=9)
            for score in ("synflow", "jacob_cov", "grad_norm", "zen", "macs", "params", "first rung")
        ),
        latency_errors=(0.02, -0.05),
        importance={"accuracy": {"pool_2": 0.77, "mlp_ratio_1": 0.1}, "latency": {"head_width": 0.52, "size": 0.4}},
        prices=tuple(
            Price(limit=limit, value=value, missed=3, alone=alone, expected=expected, deviation=expected and 0.02)
            for limit, value, alone, expected in (
                ("latency_p95_ms", 100.0, 1, 0.9),
                ("macs", 2e6, 1, None),
                ("params", 2e4, 0, None),
                ("memory_mb", 3.0, 0, None),
                ("accuracy", 0.6, 2, None),
            )
        ),
        neighbours=tuple(
            Neighbour(of=0, gene=change.partition(" ")[0], change=change, why=why, number=2)
            for change, why in NEIGHBOURS
        ),
        untried=2,
    )
    return result.model_copy(update=changes)


def candidate(number: int) -> Candidate:
    origin, reason, state, why = ENDS[number]
    return Candidate.model_validate(
        {
            "number": number,
            "genome": GENOME,
            "origin": origin,
            "reason": reason,
            "state": state,
            "why": why,
            "macs": 24_400,
            "params": 2978,
            "memory_bytes": 18_100,
            "latency_ms": 0.25 + 0.01 * number,
            "rungs": [Rung(epochs=2, accuracy=0.6 + 0.05 * number, right=12, n=20, seconds=1.0)]
            if state in {"trained", "stopped"}
            else [],
        },
    )


def front_model(number: int, *, chosen: bool = False) -> FrontModel:
    stage = StageShape(
        depth=1,
        width=8,
        heads=1,
        mlp_ratio=2.0,
        attention="units",
        pool=False,
        tokens_in=16,
        tokens=16,
        units=4,
        share=0.4,
    )
    last = stage.model_copy(update={"attention": "global", "pool": True, "tokens": 4, "share": 0.55})
    return FrontModel(
        number=number,
        netscore=116.0,
        accuracy=0.73,
        judged=0.75,
        judged_interval=Interval(low=0.69, high=0.8, level=0.95, method="wilson"),
        latency=Latency(p50_ms=0.258, p95_ms=0.3, relative=1.0, runs=100),
        p95_bound_ms=None if number else 8.98,
        shape=Shape(size=(8, 8), channels=1, patch=2, unit=2, classes=2, stem_share=0.05, stages=(stage, last)),
        chosen=chosen,
    )
