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

import numpy as np

import efficiency360
from efficiency360.audited import Audited, read_audited
from efficiency360.dataset import kept
from efficiency360.engine.store import EvidenceStore
from efficiency360.judge import Against
from efficiency360.judge.relative import apply_relative
from efficiency360.records import Measurement, Scorecard
from efficiency360.samples import Sample
from efficiency360.spec import parse_audit
from efficiency360.statistics.intervals import mean_recall, wilson

IMAGES, CLASSES = 50_000, 1_000
ALLOWED_GATE_S, ALLOWED_COMPARISON_S = 0.8, 2.0
RULES = ("accuracy.top1", "accuracy.top5", "accuracy.balanced", "uncertainty.brier")


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
    print(
        f"{len(RULES)} rules over {IMAGES:,} images: {median(taken):.2f} s (allowed {ALLOWED_COMPARISON_S} s); {methods}"
    )


def made(folder: Path, seed: int) -> Path:
    """The scorecard and samples of a made-up classifier."""
    shared, own = np.random.default_rng(7), np.random.default_rng(seed)
    classes = shared.integers(0, CLASSES, IMAGES)
    easy = shared.random(IMAGES)
    right = (easy + own.normal(0, 0.1, IMAGES) < 0.8).astype(np.float64)
    among = np.maximum(right, easy < 0.95)
    brier = np.clip(1.2 * easy**2 + own.normal(0, 0.1, IMAGES), 0, 2)
    order = own.permutation(IMAGES)
    classes, right, among, brier = classes[order], right[order], among[order], brier[order]
    rows = np.arange(IMAGES)
    store = EvidenceStore(folder / "evidence")
    hashes = [f"{image:064x}" for image in order.tolist()]
    samples = {
        "accuracy": [
            Sample("accuracy.top1", {}, "mean", right, rows),
            Sample("accuracy.top5", {}, "mean", among, rows),
            Sample("accuracy.balanced", {}, "group mean", right, rows, classes),
        ],
        "uncertainty": [Sample("uncertainty.brier", {}, "mean", brier, rows)],
    }
    card = Scorecard.model_validate_json(
        (Path(__file__).parent.parent / "reports/digits-demo/scorecard.json")
        .read_bytes()
        .replace(b'"schema_version": 1', b'"schema_version": 2')
    )
    axes = []
    for axis_id, some in samples.items():
        axis = card.axis(axis_id)
        assert axis is not None
        numbers = tuple(number(one, classes) for one in some)
        axes.append(
            axis.model_copy(
                update={"measurements": numbers, "caveats": (), "artifacts": (store.keep_samples(axis_id, some),)}
            )
        )
    assert card.dataset is not None
    images = store.keep_images(kept.to_bytes(hashes, None))
    data = card.dataset.model_copy(update={"n": IMAGES, "available": IMAGES, "artifacts": (images,)})
    card = card.model_copy(update={"axes": tuple(axes), "dataset": data})
    (folder / "scorecard.json").write_text(card.model_dump_json())
    return folder


def number(sample: Sample, classes: np.ndarray) -> Measurement:
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
