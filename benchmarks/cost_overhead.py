"""What counting costs: at most twice one eager forward pass at batch 1, plus 1.5 s.

Run: python benchmarks/cost_overhead.py [NAME ...]    (names of timm architectures)
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import timm
import torch

from efficiency360.numerics.complexity import count

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = (
    "resnet50",
    "tf_efficientnet_lite0",
    "swin_tiny_patch4_window7_224",
    "maxvit_tiny_tf_224",
    "vit_base_patch16_224",
)
RUNS = 5


def median_s(call: Callable[[], object]) -> float:
    """Median seconds of a call over several runs."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print counting against its allowance for each model."""
    torch.set_num_threads(2)
    print(f"{'model':<32}{'forward s':>10}{'count s':>10}{'allowed s':>11}{'ratio':>8}")
    for name in sys.argv[1:] or MODELS:
        model = timm.create_model(name, pretrained=False).eval().requires_grad_(requires_grad=False)
        image = torch.rand(1, *model.pretrained_cfg["input_size"])
        with torch.inference_mode():
            model(image)
            forward = median_s(lambda model=model, image=image: model(image))  # type: ignore[misc]
        counting = median_s(lambda model=model, image=image: count(model, image))  # type: ignore[misc]
        allowed = 2 * forward + 1.5
        print(f"{name:<32}{forward:>10.3f}{counting:>10.3f}{allowed:>11.3f}{counting / allowed:>8.2f}")


if __name__ == "__main__":
    main()
