"""Is a searched model as right as FasterViT-0 that was trained on the same images, by the same recipe, as long?

FasterViT-0 at 224 pixels, from random weights as the searched models, is given the processor time of a whole search:
MINUTES on all processors, in whole epochs under one cosine. Compared are the models of a search's front, on images that
none of them saw: difference of balanced accuracy, whole groups (`training.keep_together`) drawn anew. A model is
non-inferior where all of the 95 % interval is above -1 point. The trained FasterViT-0 is kept in WEIGHTS and taken up
from there.
Needs: pip install fastervit
Run: python examples/tile_inspector/non_inferior.py CONSTRAINTS --data LEARN --judge UNSEEN --search FOLDER
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from by_run import classes, right

from efficiency360.dataset.formats import open_dataset
from efficiency360.dataset.together import joined
from efficiency360.search.constraints import load_constraints
from efficiency360.search.data import Part, open_images
from efficiency360.search.training import Normalised, fit
from efficiency360.statistics.paired import decide, paired_bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from efficiency360.search.constraints import Training
    from efficiency360.search.data import Images, Sized

SIZE, MARGIN, TRIAL = 224, 0.01, 4


class Coloured(torch.nn.Module):
    """A model of colour images for images of one channel, which it gets three times."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1 or 3, H, W) -> (N, K) logits."""
        logits: torch.Tensor = self.model(images.expand(-1, 3, -1, -1))
        return logits


def fastervit(data: Sized, count: int) -> nn.Module:
    """FasterViT-0 with random weights and a head for the classes, behind the normalisation of the images."""
    from fastervit import create_model  # noqa: PLC0415 - only the benchmarks beside FasterViT have it

    torch.manual_seed(0)
    return Normalised(Coloured(create_model("faster_vit_0_224", num_classes=count)), data)


def trained(images: Images, training: Training, seconds: float) -> nn.Module:
    """FasterViT-0 after so many processor seconds of training, rounded to whole epochs."""
    data, count = images.at(SIZE), len(images.classes)
    some = slice(TRIAL * training.batch)
    few = replace(data, train=Part(data.train.pixels[some], data.train.labels[some]))
    fit(fastervit(data, count), few, training, 1, classes=count)  # the first steps are slow
    began = time.process_time()
    fit(fastervit(data, count), few, training, 1, classes=count)
    epoch = (time.process_time() - began) * len(data.train) / len(few.train)
    epochs = max(1, round(seconds / epoch))
    began = time.process_time()
    model = fit(fastervit(data, count), data, training, epochs, classes=count, progress=_said).model
    print(f"FasterViT-0: {epochs} epochs, {(time.process_time() - began) / 60:.1f} processor minutes", flush=True)
    return model


def _said(done: int, total: int) -> None:
    print(f"  step {done} of {total}", flush=True)


def compared(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> str:
    """The difference of balanced accuracy in points, its interval, and what follows; all (N,)."""
    shape = (int(groups.max()) + 1, int(labels.max()) + 1)
    losses, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(losses, (groups, labels), theirs.astype(float) - ours)
    np.add.at(counts, (groups, labels), 1.0)

    def drop(drawn: NDArray[np.int64]) -> float:
        there = counts[drawn].sum(axis=0)
        return float(np.mean((losses[drawn].sum(axis=0) / there.clip(min=1))[there > 0]))

    found = paired_bootstrap(drop, shape[0], rng=np.random.default_rng(0))
    around = found.interval()
    said = {"pass": "non-inferior", "fail": "inferior"}.get(decide(around, MARGIN), "not decided")
    return f"{-100 * found.value:+.1f} [{-100 * around.high:+.1f}, {-100 * around.low:+.1f}] points, {said}"


def _balanced(hits: NDArray[np.bool_], labels: NDArray[np.int64]) -> float:
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))


def main() -> None:
    """Train or take up FasterViT-0, then compare."""
    parser = argparse.ArgumentParser(description="Searched models against FasterViT-0 trained as long.")
    parser.add_argument("constraints", type=Path)
    parser.add_argument("--data", required=True, help="the images of the search")
    parser.add_argument("--judge", required=True, help="labelled images that no model saw")
    parser.add_argument("--search", type=Path, help="output folder of the search")
    parser.add_argument("--weights", type=Path, default=Path("fastervit0.pt"))
    parser.add_argument("--minutes", type=float, default=12.0, help="of the search, on all processors (default: 12)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    constraints = load_constraints(options.constraints)
    images = open_images(options.data, constraints.training, channels=constraints.channels, threads=options.threads)
    if options.weights.exists():
        model = fastervit(images.at(SIZE), len(images.classes))
        model.load_state_dict(torch.load(options.weights, weights_only=True))
    else:
        model = trained(images, constraints.training, options.minutes * 60 * (os.cpu_count() or 1))
        torch.save(model.state_dict(), options.weights)
    judged = open_dataset(options.judge)
    if judged.labels is None:
        raise SystemExit(f"non_inferior.py: {options.judge} has no labels")
    labels = np.array([images.classes.index(name) for name in judged.labels.values])
    groups = joined([judged.columns[name] for name in images.together], len(judged))
    theirs = classes(model.eval(), images.preprocess(SIZE), judged) == labels
    print(f"{len(labels)} images in {len(np.unique(groups))} groups; balanced accuracy, and plain:")
    print(f"FasterViT-0: {_balanced(theirs, labels):.1%}, {theirs.mean():.1%}")
    for weights in sorted(options.search.glob("front/*/model.safetensors")) if options.search else ():
        ours, _ = right(str(weights), options.judge)
        against = compared(ours, theirs, labels, groups)
        print(f"{weights.parent.name}: {_balanced(ours, labels):.1%}, {ours.mean():.1%}; {against}")


if __name__ == "__main__":
    main()
