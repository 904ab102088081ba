"""Train the demo model on scikit-learn's handwritten digits: the recipe behind the weights that ship with e360.

Trains on the train part only, looks at the test part once, after the last step, and writes the weights together with
the fingerprints of both parts, so that an audit can tell which images the model has seen.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch.nn import functional

from efficiency360.dataset.digits import DigitsSplit, load_digits
from efficiency360.files import write_atomic
from efficiency360.zoo.demo import DigitsTransformer, digits_transformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

SIDE = 32
BATCH = 64
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
WARMUP_SHARE = 0.05

MAX_ROTATION_DEG = 12
MAX_SCALE = 0.12
MAX_SHEAR = 0.1
MAX_SHIFT = 0.05  # of the side: 1.6 pixels
MAX_CONTRAST = 0.2
MAX_NOISE = 0.05  # standard deviation, in [0, 1] pixel units


def to_tensors(split: DigitsSplit) -> tuple[Tensor, Tensor]:
    """Images as the audit prepares them, (N, 1, 32, 32) float32 in [0, 1] after PIL's bilinear resize; labels (N,)."""
    resized = [Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR) for image in split.images]
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in resized]))
    return pixels[:, None].float() / 255, torch.from_numpy(split.labels)


def augment(images: Tensor, generator: Generator) -> Tensor:
    """Each image slightly turned, scaled, sheared, shifted, brightened or darkened, and noisy; same shape and range."""
    n = len(images)

    def uniform(limit: float, *shape: int) -> Tensor:
        return limit * (2 * torch.rand(shape, generator=generator) - 1)

    angle, scale = uniform(math.radians(MAX_ROTATION_DEG), n), 1 + uniform(MAX_SCALE, n)
    # affine_grid counts from -1 to 1, so a shift of the whole side is 2
    right, down = uniform(2 * MAX_SHIFT, n), uniform(2 * MAX_SHIFT, n)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    affine = torch.stack([cos, uniform(MAX_SHEAR, n) - sin, right, sin, cos, down], dim=1).view(n, 2, 3)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    level = MAX_NOISE * torch.rand(n, 1, 1, 1, generator=generator)
    noise = level * torch.randn(moved.shape, generator=generator)
    return (moved * (1 + uniform(MAX_CONTRAST, n, 1, 1, 1)) + noise).clamp(0, 1)


def rate_at(step: int, steps: int) -> float:
    """Share of the full learning rate at `step` of `steps`: a linear warm-up, then half a cosine down to 0."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    return min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * step / steps)) / 2


def train(images: Tensor, labels: Tensor, *, epochs: int, seed: int) -> DigitsTransformer:
    """A model trained on `images` (N, 1, 32, 32) and `labels` (N,), in eval mode; prints a line an epoch."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = digits_transformer()
    steps = epochs * math.ceil(len(images) / BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, steps))
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        total = 0.0
        for batch in torch.split(torch.randperm(len(images), generator=generator), BATCH):
            loss = functional.cross_entropy(model(augment(images[batch], generator)), labels[batch])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(batch)
        elapsed_s = time.perf_counter() - start
        print(f"epoch {epoch:3d}/{epochs}  loss {total / len(images):.4f}  {elapsed_s:6.1f} s", flush=True)
    return model.eval()


@torch.inference_mode()
def accuracy(model: DigitsTransformer, images: Tensor, labels: Tensor) -> float:
    """Share of images in [0, 1] whose largest logit is at the label."""
    right: Tensor = model(images).argmax(dim=1) == labels
    return right.double().mean().item()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --help shows an example."""
    parser = argparse.ArgumentParser(
        description="Train the demo model on scikit-learn's handwritten digits.",
        epilog="example: python examples/train_digits.py --out digits.safetensors --epochs 80 --seed 0",
    )
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--epochs", type=_positive, default=80, help="passes over the train part (default: 80)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation (default: 0)")
    parser.add_argument("--threads", type=_positive, default=1, help="CPU threads (default: 1)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, test once, save."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    seen, unseen = load_digits("train"), load_digits("test")
    model = train(*to_tensors(seen), epochs=options.epochs, seed=options.seed)
    score = accuracy(model, *to_tensors(unseen))
    metadata = {
        "train_fingerprint": seen.fingerprint,
        "test_fingerprint": unseen.fingerprint,
        "seed": str(options.seed),
        "epochs": str(options.epochs),
        "test_accuracy": f"{score:.4f}",
    }
    write_atomic(options.out, safetensors.torch.save(model.state_dict(), metadata))
    print(f"test accuracy {score:.2%} of {len(unseen.labels)} images; wrote {options.out}")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


if __name__ == "__main__":
    main()
