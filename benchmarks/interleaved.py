"""Does an interleaved comparison find what is there, and nothing else?

A chain of 40 equal convolutions is compared with itself, and with one of 42: 5 % more work. A/A and A/B runs alternate,
each with another seed and only new processes. Promised: of 20 A/A runs at most 4 find a difference (at level 95 % one
is expected, and a right method finds more than 4 in 0.3 % of such series), of 20 A/B runs at least 16 find B slower.
Printed last is the ratio of all A/B runs together: 1.05 if the planted work costs what it should.
Run: python benchmarks/interleaved.py [RUNS] [THREADS] [SECONDS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from efficiency360.statistics.turns import Interleaved

INPUT = (3, 32, 32)
LAYERS, MORE = 40, 2


class Chain(nn.Module):
    """Equal convolutions one after the other, between a stem and a head that cost next to nothing."""

    def __init__(self, layers: int, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Conv2d(INPUT[0], width, 1)
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(layers))
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, 10)."""
        x = self.stem(x)
        for layer in self.layers:
            x = torch.relu(layer(x))
        logits: torch.Tensor = self.head(x.mean(dim=(2, 3)))
        return logits


def plain() -> Chain:
    """The model."""
    return Chain(LAYERS)


def more() -> Chain:
    """The same with 5 % more of its work."""
    return Chain(LAYERS + MORE)


def flops(model: nn.Module) -> int:
    """Floating-point operations of one image, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(torch.zeros(1, *INPUT))
    return int(counter.get_total_flops())


def compared(other: str, seed: int, threads: int, seconds: float) -> Interleaved:
    """`plain` against `other` in turns."""
    from efficiency360.engine.contender import line_up  # noqa: PLC0415 - workers import this file for its models
    from efficiency360.engine.interleaved import interleave  # noqa: PLC0415
    from efficiency360.subject.request import SubjectOptions, request_subject  # noqa: PLC0415

    given = [f"{Path(__file__)}:{name}" for name in ("plain", other)]
    update = {"threads": threads, "seed": seed, "device": "cpu"}
    requests = [request_subject(one, SubjectOptions(input=INPUT)).model_copy(update=update) for one in given]
    with tempfile.TemporaryDirectory() as folder:
        contenders, stop = line_up(requests, given, Path(folder) / "run.log", strict=False)
        return interleave(contenders, seconds=seconds, seed=seed, stop=stop.set)


def report(other: str, found: list[Interleaved], wanted: set[str], limit: str) -> None:
    """Print how many found a difference, how wide their intervals are, and how long they took."""
    comparisons = [one.comparisons[0] for one in found]
    width = statistics.median(one.interval.high - one.interval.low for one in comparisons)
    hits, took = sum(one.verdict in wanted for one in comparisons), statistics.median(one.seconds for one in found)
    print(
        f"plain / {other:<5}: {hits} of {len(found)} found a difference ({limit}); median width {width:.2%},"
        f" median {took:.1f} s"
    )


def main() -> None:
    """Print each run and how many found a difference."""
    from efficiency360.engine.environment import default_threads  # noqa: PLC0415
    from efficiency360.engine.interleaved import SECONDS  # noqa: PLC0415

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else default_threads()  # noqa: PLR2004 - the second argument
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else SECONDS  # noqa: PLR2004 - the third
    print(f"planted: {flops(more()) / flops(plain()) - 1:.2%} more FLOPs; {threads} threads, {seconds:g} s a model")
    found: dict[str, list[Interleaved]] = {"plain": [], "more": []}
    for run in range(runs):
        for number, (other, results) in enumerate(found.items()):
            results.append(compared(other, 2 * run + number, threads, seconds))
            one = results[-1].comparisons[0]
            interval = f"{one.ratio:.4f} [{one.interval.low:.4f}, {one.interval.high:.4f}]"
            print(
                f"{run + 1:3}  plain / {other:<5} {interval}  {one.verdict:<20} {results[-1].seconds:5.1f} s",
                flush=True,
            )
    report("plain", found["plain"], {"faster", "slower"}, "of 20 at most 4 may")
    report("more", found["more"], {"slower"}, "of 20 at least 16 must")
    together = statistics.geometric_mean(one.comparisons[0].ratio for one in found["more"])
    print(f"time of more / plain over all runs: {together:.4f}")


if __name__ == "__main__":
    main()
