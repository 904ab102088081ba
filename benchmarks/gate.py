"""How long judging takes: `e360 gate` on a full scorecard, and a comparison with a baseline over 50,000 images.

    python benchmarks/gate.py [ROUNDS]

The gate is timed as a whole process, measuring again from the evidence; beside it an empty Python with numpy and
pydantic, so the ratio holds on other machines. The comparison reads both sides from disk, as the gate does.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

import efficiency360
from efficiency360.audited import read_audited
from efficiency360.dataset import Dataset, kept
from efficiency360.engine.store import EvidenceStore
from efficiency360.judge import Against
from efficiency360.judge.relative import apply_relative
from efficiency360.records import AxisRecord, Measurement
from efficiency360.samples import How, Sample
from efficiency360.scorecards import read_scorecard
from efficiency360.spec import parse_audit
from efficiency360.statistics.intervals import mean_recall, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

IMAGES, CLASSES = 50_000, 1_000
ALLOWED_GATE_S, ALLOWED_COMPARISON_S = 0.8, 2.0
TOP1, TOP5 = 0.8, 0.95
RULES: dict[str, How] = {
    "accuracy.top1": "mean",
    "accuracy.top5": "mean",
    "accuracy.balanced": "group mean",
    "uncertainty.brier": "mean",
}


def run_s(*command: str) -> float:
    """Seconds that a command takes; its answer does not matter, but it has to have one."""
    began = time.perf_counter()
    code = subprocess.run(command, capture_output=True, check=False).returncode
    if code not in {0, 1, 3}:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return time.perf_counter() - began


def gate(rounds: int, folder: Path) -> None:
    """Time the gate on an audit of every axis, against itself as the baseline and alone."""
    out = folder / "full"
    efficiency360.audit("zoo:digits_transformer", "digits", audit="standard", threads=2, out=out)
    python, e360 = sys.executable, (sys.executable, "-m", "efficiency360", "gate", str(out))
    empty = (python, "-c", "import numpy, pydantic")
    times: dict[str, list[float]] = {"empty": [], "gate": [], "compared": []}
    for _ in range(rounds):
        times["empty"].append(run_s(*empty))
        times["gate"].append(run_s(*e360))
        times["compared"].append(run_s(*e360, "--audit", "release", "--baseline", str(out)))
    middle = {name: median(taken) for name, taken in times.items()}
    print(f"e360 gate, all axes measured again: {middle['gate']:.2f} s (allowed {ALLOWED_GATE_S} s),")
    print(f"  {middle['gate'] / middle['empty']:.1f} x Python with numpy and pydantic ({middle['empty']:.2f} s)")
    print(f"e360 gate with a baseline, both measured again: {middle['compared']:.2f} s")


def comparison(rounds: int, folder: Path) -> None:
    """Time the comparison of two classifiers over many images, from their files to the outcomes."""
    sides = [made(folder / name, seed) for seed, name in enumerate(("new", "old"))]
    rules = [{"id": name, "measurement": name, "no_worse_than_baseline": True, "rationale": "r"} for name in RULES]
    spec = parse_audit({"title": "t", "axes": {"accuracy": {}, "uncertainty": {}}, "rules": rules}, "t.toml")
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        new, old = (read_audited(side)[1] for side in sides)
        results = apply_relative(spec.rules, Against(new, old))
        taken.append(time.perf_counter() - began)
    methods = ", ".join(
        result.comparison.interval.method for result in results if result.comparison and result.comparison.interval
    )
    print(f"{len(RULES)} rules over {IMAGES:,} images: {median(taken):.2f} s (allowed {ALLOWED_COMPARISON_S} s)")
    print(f"  by {methods}")


def made(folder: Path, seed: int) -> Path:
    """The scorecard and samples of a made-up classifier; two of them share which images are hard."""
    shared, own = np.random.default_rng(7), np.random.default_rng(seed)
    classes, easy, order = shared.integers(0, CLASSES, IMAGES), shared.random(IMAGES), own.permutation(IMAGES)
    right = (easy + own.normal(0, 0.1, IMAGES) < TOP1).astype(np.float64)
    brier = np.clip(1.2 * easy**2 + own.normal(0, 0.1, IMAGES), 0, 2)
    columns = (right, np.maximum(right, easy < TOP5), right, brier)
    samples = [
        Sample(name, {}, how, values[order], np.arange(IMAGES), classes[order] if how == "group mean" else None)
        for (name, how), values in zip(RULES.items(), columns, strict=True)
    ]
    store = EvidenceStore(folder / "evidence")
    data = Dataset(name="made up", kind="made up", files=tuple(f"{image}.png" for image in order.tolist()))
    hashes = [f"{image:064x}" for image in order.tolist()]
    record = data.record(hashes).model_copy(
        update={"artifacts": (store.keep_images(kept.to_bytes(data, hashes, None)),)}
    )
    axes = [axis(store, axis_id, samples, classes[order]) for axis_id in ("accuracy", "uncertainty")]
    card = read_scorecard(Path(__file__).parent.parent / "reports/digits-demo")
    card = card.model_copy(update={"axes": tuple(axes), "dataset": record})
    (folder / "scorecard.json").write_text(card.model_dump_json())
    return folder


def axis(store: EvidenceStore, axis_id: str, samples: Sequence[Sample], classes: NDArray[np.int64]) -> AxisRecord:
    """A measured axis with its samples on disk."""
    mine = [one for one in samples if one.name.startswith(f"{axis_id}.")]
    numbers = tuple(number(one, classes) for one in mine)
    artifacts = (store.keep_samples(axis_id, mine),)
    return AxisRecord(id=axis_id, version=1, status="measured", measurements=numbers, artifacts=artifacts)


def number(sample: Sample, classes: NDArray[np.int64]) -> Measurement:
    """The measurement that samples make."""
    if sample.how == "group mean":
        interval = mean_recall(np.bincount(classes, sample.values).astype(np.int64), np.bincount(classes))
    else:
        interval = wilson(min(sample.value, 1.0) * IMAGES, IMAGES)
    unit, better = ("", "lower") if sample.name == "uncertainty.brier" else ("proportion", "higher")
    fields = {"name": sample.name, "value": sample.value, "unit": unit, "better": better, "n": IMAGES}
    return Measurement.model_validate({**fields, "interval": interval})


def main() -> None:
    """Time both."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        comparison(rounds, Path(folder))
        gate(rounds, Path(folder))


if __name__ == "__main__":
    main()
