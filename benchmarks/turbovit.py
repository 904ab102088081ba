"""Is turbovit_base as fast as timm's Hiera of the same configuration, with the same weights?

Both take turns in one process on one thread, which goes first changes each time, and processor time is counted. Printed
is the median of the ratios ours / timm's, and between what half of them lie: below 1, ours is faster. First both must
give the same answers. Promised: at most 1, at batch 1 and 8, eager and compiled.
Run: python benchmarks/turbovit.py [SECONDS for each line] [eager|compiled|both]
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import torch
from timm.models.hiera import Hiera

from efficiency360.zoo.hiera import from_hiera
from efficiency360.zoo.spec import load_spec
from efficiency360.zoo.turbovit import TurboViT

if TYPE_CHECKING:
    from collections.abc import Callable

    Model = Callable[[torch.Tensor], torch.Tensor]

SECONDS = 20.0
FEWEST = 8
AGREE = 1e-4


def both() -> tuple[TurboViT, torch.nn.Module]:
    """Our model and timm's, with the same random weights."""
    torch.manual_seed(0)
    spec = load_spec("turbovit_base")
    theirs = Hiera(embed_dim=64, num_heads=1, stages=(1, 2, 7, 2)).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    ours = TurboViT(spec).eval()
    ours.load_state_dict(from_hiera(theirs.state_dict(), spec.grid))
    return ours, theirs


def seconds_of(model: Model, images: torch.Tensor) -> float:
    """Processor time of one pass."""
    start = time.process_time()
    model(images)
    return time.process_time() - start


def in_turns(ours: Model, theirs: Model, images: torch.Tensor, seconds: float) -> list[tuple[float, float]]:
    """Seconds of ours and theirs, pass by pass."""
    found: list[tuple[float, float]] = []
    while len(found) < FEWEST or sum(map(sum, found)) < seconds:
        pair = [(model, seconds_of(model, images)) for model in ((ours, theirs) if len(found) % 2 else (theirs, ours))]
        times = dict(pair)
        found.append((times[ours], times[theirs]))
    return found


@torch.inference_mode()
def main() -> None:
    """Print a line for each way of running and batch size."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    how = sys.argv[2] if len(sys.argv) > 2 else "both"  # noqa: PLR2004 - the second argument
    torch.set_num_threads(1)
    eager = both()
    models: dict[str, tuple[Model, Model]] = {"eager": eager}
    if how != "eager":
        models["compiled"] = (torch.compile(eager[0]), torch.compile(eager[1]))
    for name, (ours, theirs) in models.items():
        if how not in ("both", name):
            continue
        for batch in (1, 8):
            images = torch.randn(batch, 3, 224, 224)
            apart = (ours(images) - theirs(images)).abs().max().item()
            if not apart < AGREE:
                raise SystemExit(f"{name}, batch {batch}: the answers differ by {apart:.2g}, so times mean nothing")
            found = in_turns(ours, theirs, images, seconds)
            low, middle, high = statistics.quantiles((one / other for one, other in found), n=4)
            mine, other = (statistics.median(times) * 1e3 for times in zip(*found, strict=True))
            half = f"half of {len(found)} turns {low:.3f} to {high:.3f}"
            print(
                f"{name:8} batch {batch}: ours / timm {middle:.3f} ({half});"
                f" {mine:.1f} and {other:.1f} ms; answers within {apart:.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
