"""How long `e360 --help` and `e360 gate` take; they must not feel like Python, let alone like torch.

Run: python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 7
LIMITS_S = {"e360 --help": 0.4, "e360 gate": 0.8}


def seconds(command: list[str]) -> float:
    """Median wall time of a command over several runs, after one that warms the caches."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, check=False, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def main() -> None:
    """Print seconds, limits and their ratio."""
    e360 = [sys.executable, "-m", "efficiency360"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        subprocess.run([*e360, "demo", "--out", str(out)], check=True, capture_output=True)
        commands = {"e360 --help": [*e360, "--help"], "e360 gate": [*e360, "gate", str(out)]}
        print(f"{'command':<14}{'median s':>10}{'limit s':>10}{'ratio':>8}")
        for name, command in commands.items():
            took, limit = seconds(command), LIMITS_S[name]
            print(f"{name:<14}{took:>10.3f}{limit:>10.1f}{took / limit:>8.2f}")


if __name__ == "__main__":
    main()
