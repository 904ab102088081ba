"""Latency and throughput of turbovit_base, and of searched models, as ratios to FasterViT-0, on one thread.

The paper (Wong, Abbasi and Nair 2023) has a latency 3.21 times lower at batch 1 and a throughput 3.18 times higher than
FasterViT-0, on a GPU. Here all models take turns in one process on one thread in float32, which goes first changes each
time, and processor time is counted, so that neighbours on the machine do not. Throughput is that of each model's best
batch of those tried. A searched model takes images of its own size: it does another task, and its ratio says what
fitting a model to the task saves, not that it is a faster ImageNet model.
Needs: pip install fastervit
Run: python benchmarks/beside_fastervit.py [--rounds N] [--batches 1 4] [ARCHITECTURE.toml ...]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from efficiency360.zoo.spec import load_spec
from efficiency360.zoo.turbovit import TurboViT

if TYPE_CHECKING:
    from torch import nn

PAPER = {"latency": 3.21, "throughput": 3.18}
SIZE = 224


def models(specs: list[str]) -> dict[str, tuple[nn.Module, tuple[int, int, int]]]:
    """Each model by name, in evaluation mode, with the shape of its image; FasterViT-0 first."""
    from fastervit import create_model  # noqa: PLC0415 - only this benchmark has it

    torch.manual_seed(0)
    found: dict[str, tuple[nn.Module, tuple[int, int, int]]] = {
        "FasterViT-0": (create_model("faster_vit_0_224").eval(), (3, SIZE, SIZE)),
    }
    for name in ("turbovit_base", *specs):
        spec = load_spec(name)
        shown = Path(name).parent.name if name.endswith(".toml") else name
        found[shown] = (TurboViT(spec).eval(), (spec.channels, *spec.size))
    return found


@torch.inference_mode()
def seconds(model: nn.Module, images: torch.Tensor) -> float:
    """Processor seconds of one forward pass."""
    began = time.process_time()
    model(images)
    return time.process_time() - began


def main() -> None:
    """Time all in turns and print the ratios."""
    parser = argparse.ArgumentParser(description="Ratios to FasterViT-0.")
    parser.add_argument("specs", nargs="*", help="architecture.toml of searched models")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if find_spec("fastervit") is None:
        print("not compared: pip install fastervit")
        return
    every, order = models(options.specs), random.Random(0)  # noqa: S311 - an order
    taken: dict[tuple[str, int], list[float]] = {(name, batch): [] for name in every for batch in options.batches}
    for turn in range(options.rounds + 1):
        for name, batch in order.sample(list(taken), len(taken)):
            model, shape = every[name]
            spent = seconds(model, torch.rand(batch, *shape))
            if turn:  # the first round warms up
                taken[name, batch].append(spent / batch)
    first = next(iter(every))
    one = min(options.batches)
    for name, (model, shape) in every.items():
        best = min(options.batches, key=lambda batch: statistics.median(taken[name, batch]))
        theirs = min(options.batches, key=lambda batch: statistics.median(taken[first, batch]))
        millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        print(f"{name}: {millions:.3g} M parameters, {shape[0]} x {shape[1]} x {shape[2]}")
        for what, mine, against in (("latency", one, one), ("throughput", best, theirs)):
            ratios = [b / a for a, b in zip(taken[name, mine], taken[first, against], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            ms = 1e3 * statistics.median(taken[name, mine])
            paper = f"; the paper has {PAPER[what]}" if name == "turbovit_base" else ""
            better = f"{middle:.2f} [{low:.2f}, {high:.2f}] times better"
            print(f"  {what} (batch {mine}): {ms:.3g} ms an image, {better}{paper}")


if __name__ == "__main__":
    main()
