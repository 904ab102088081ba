"""How repeatable is the reported latency, and does its interval hold the truth? Against timm's benchmark protocol.

Audits of the speed axis and timm's protocol (10 warm-up runs, the mean of 40, in a process of its own) alternate, so
that a drifting machine hurts both. Printed: each figure, the relative spread (standard deviation over mean) of both
over the rounds, and how many stated intervals hold the quantile of the runs of all other audits together.
Run: python benchmarks/speed_repeatability.py [ROUNDS] [ARCH]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import efficiency360
from efficiency360.statistics.timing import quantile

THREADS = 2
QUANTILES = {"p50": 0.5, "p95": 0.95}
PROTOCOL = """
import sys, time, timm, torch
torch.set_num_threads({threads})
model = timm.create_model("{arch}", pretrained=False).eval()
image = torch.rand(1, *timm.data.resolve_data_config({{}}, model=model)["input_size"])
times = []
with torch.inference_mode():
    for run in range(50):
        began = time.perf_counter()
        model(image)
        times.append(time.perf_counter() - began)
print(1e3 * sum(times[10:]) / 40)
"""


def protocol_ms(arch: str) -> float:
    """Timm's figure in milliseconds."""
    code = PROTOCOL.format(threads=THREADS, arch=arch)
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def audit_ms(arch: str, folder: Path) -> tuple[dict[str, tuple[float, float, float]], np.ndarray]:
    """Each quantile with its interval in milliseconds, and the runs behind them."""
    settings = {"speed": {"batches": [1], "cold_starts": 0}}
    card = efficiency360.audit(f"timm:{arch}", axes=["speed"], settings=settings, threads=THREADS, out=folder)
    found = {}
    for stat in QUANTILES:
        for one in card.axes[1].measurements:
            if one.name == "speed.latency_ms" and one.params["stat"] == stat and one.interval:
                found[stat] = (one.interval.low, one.value, one.interval.high)
    with np.load(folder / "evidence/speed.npz") as kept:
        return found, kept["ms"]


def main() -> None:
    """Print figures, spreads and coverage."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    arch = sys.argv[2] if len(sys.argv) > 2 else "tf_efficientnet_lite0"  # noqa: PLR2004 - the second argument
    theirs, ours, runs = [], [], []
    for number in range(rounds):
        theirs.append(protocol_ms(arch))
        with tempfile.TemporaryDirectory() as folder:
            found, ms = audit_ms(arch, Path(folder))
        ours.append(found)
        runs.append(ms)
        shown = "  ".join(f"{stat} {value:.2f} [{low:.2f}, {high:.2f}]" for stat, (low, value, high) in found.items())
        print(f"{number + 1:3}  timm's mean of 40 {theirs[-1]:7.2f} ms   e360 {shown} ms", flush=True)
    medians = [found["p50"][1] for found in ours]
    spread = {name: statistics.stdev(x) / statistics.mean(x) for name, x in (("timm", theirs), ("e360", medians))}
    print(f"relative spread: timm {spread['timm']:.2%}, e360 p50 {spread['e360']:.2%},", end=" ")
    print(f"ratio {spread['e360'] / spread['timm']:.2f} (limit 1)")
    for stat, q in QUANTILES.items():
        truths = [quantile(np.concatenate(runs[:i] + runs[i + 1 :]), q) for i in range(rounds)]
        held = sum(
            stat in found and found[stat][0] <= truth <= found[stat][2]
            for found, truth in zip(ours, truths, strict=True)
        )
        print(f"{stat}: {held} of {rounds} intervals hold the quantile of all other audits together")


if __name__ == "__main__":
    main()
