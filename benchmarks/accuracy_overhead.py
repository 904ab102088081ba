"""The accuracy axis against a plain PyTorch loop: same model, preprocessing, batch size, loader workers and threads.

The two alternate, so that a drifting machine hurts both. Run: python benchmarks/accuracy_overhead.py [FOLDER]
(FOLDER: images below class folders or with metadata.csv; without it 500 JPEGs of 300 x 256 noise are made.)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import efficiency360

ARCH, BATCH, THREADS, ROUNDS = "tf_efficientnet_lite0", 32, 2, 3
LIMIT = 1.15


class Files(Dataset[Tensor]):
    """Image files through timm's evaluation transform."""

    def __init__(self, paths: list[Path], transform: object) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Return one transformed image (C, H, W)."""
        return self.transform(Image.open(self.paths[index]).convert("RGB"))  # type: ignore[operator,no-any-return]


def plain_loop_s(folder: Path) -> float:
    """Seconds of the loop that anybody would write; loader start-up included, model start-up not."""
    model = timm.create_model(ARCH, pretrained=False).eval()
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=model))
    paths = sorted(folder.rglob("*.jpg"))
    began = time.perf_counter()
    loader = DataLoader(Files(paths, transform), batch_size=BATCH, num_workers=THREADS)
    with torch.inference_mode():
        torch.cat([model(images).argmax(dim=1) for images in loader])
    return time.perf_counter() - began


def audit_s(folder: Path) -> float:
    """Seconds of the accuracy axis, as the scorecard states them."""
    card = efficiency360.audit(f"timm:{ARCH}", folder, axes=["accuracy"], threads=THREADS)
    axis = card.axis("accuracy")
    assert axis is not None  # noqa: S101 - the audit asked for it
    assert axis.seconds is not None, axis.reason  # noqa: S101 - else there is nothing to compare
    return axis.seconds


def make_images(folder: Path, n: int) -> None:
    """Write `n` JPEGs of noise in two class folders named by index."""
    rng = np.random.default_rng(0)
    for index in range(n):
        target = folder / str(index % 2) / f"{index:04}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (32, 38, 3), dtype=np.uint8))
        coarse.resize((300, 256)).save(target, quality=90)


def main() -> None:
    """Print both times and their ratio, round by round and as medians."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        if len(sys.argv) == 1:
            make_images(folder, 500)
        pairs = []
        for _ in range(ROUNDS):
            plain, ours = plain_loop_s(folder), audit_s(folder)
            pairs.append((plain, ours))
            print(f"plain loop {plain:6.1f} s   accuracy axis {ours:6.1f} s   ratio {ours / plain:.3f}", flush=True)
        print(f"median ratio {statistics.median(ours / plain for plain, ours in pairs):.3f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
