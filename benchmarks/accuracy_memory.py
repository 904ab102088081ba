"""Peak memory of the worker with 2,000 images against 500: streaming means that the number does not matter.

Run: python benchmarks/accuracy_memory.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from accuracy_overhead import make_images

SIZES = (500, 2000)
LIMIT = 1.1
PROGRAM = """
import resource, sys, efficiency360
efficiency360.audit("timm:mobilenetv3_small_100", sys.argv[1], axes=["accuracy"], limit=int(sys.argv[2]), threads=2)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def worker_peak_mb(folder: Path, n: int) -> float:
    """Peak resident memory in MB of the largest child of a fresh process that audits `n` images."""
    answer = subprocess.run([sys.executable, "-c", PROGRAM, folder, str(n)], check=True, capture_output=True, text=True)
    return int(answer.stdout.split()[-1]) / 1024


def main() -> None:
    """Print both peaks and their ratio."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make_images(folder, SIZES[-1])
        peaks = [worker_peak_mb(folder, n) for n in SIZES]
    for n, peak in zip(SIZES, peaks, strict=True):
        print(f"{n:>6} images: worker peak {peak:7.0f} MB")
    print(f"ratio {peaks[1] / peaks[0]:.3f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
