"""What the wall around a model's process costs: a process that raises it and imports torch, beside a bare one.

The promise: under 0.3 s. Prints medians of interleaved runs, their ratio, and the layers that hold here.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

from efficiency360.engine.doctor.diagnose import layers_here
from efficiency360.engine.wall import Plan

ROUNDS = 9
MEMORY = 8 << 30
BARE = "import torch"
WALLED = "import sys; from efficiency360.engine.wall import Plan, raise_wall; raise_wall(Plan.from_json(sys.argv[1]))"


def seconds(code: str, folder: str) -> float:
    """From the start of a process to its end."""
    plan = Plan(folder, memory_bytes=MEMORY)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, plan.to_json()], check=True, cwd=folder, env={"TMPDIR": folder})
    return time.perf_counter() - began


def main() -> None:
    """Alternate both kinds of process."""
    walled, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            bare.append(seconds(BARE, folder))
            walled.append(seconds(f"{WALLED}\n{BARE}", folder))
    with_wall, without = statistics.median(walled), statistics.median(bare)
    print(f"import torch: {without:.3f} s; behind the wall: {with_wall:.3f} s, ratio {with_wall / without:.3f}")
    print(f"the wall costs {with_wall - without:.3f} s (promised: under 0.3 s)")
    print("layers here:", *layers_here(), sep="\n  ")


if __name__ == "__main__":
    main()
