"""Accuracy on photographs of tiles with intervals that take runs of tiles, not photographs, as what varies.

An audit takes each image for one draw. Photographs of one tile resemble each other, so its intervals are too narrow for
the question how the model will do on other tiles. Here whole runs (column `run`) are drawn anew, 10,000 times.
Run: python examples/tile_inspector/by_run.py MODEL DATA
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.dataset import open_dataset
from efficiency360.dataset.stream import ImageStream
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from efficiency360.dataset.core import Dataset
    from efficiency360.dataset.preprocess import Preprocess

DRAWS, BATCH, LEVEL = 10_000, 64, 0.95


def right(model: str, data: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Whether each image is told right (N,), and the columns of the data with its labels."""
    request = request_subject(model, SubjectOptions())
    subject, info = load_subject(request.model_copy(update={"device": "cpu", "threads": 1}))
    images = open_dataset(data)
    if images.labels is None or info.class_names is None or "run" not in images.columns:
        raise SystemExit(f"by_run.py: {data} needs labels and a column 'run', {model} a manifest with class names")
    answers = np.array(info.class_names)[classes(subject.logits, subject.preprocess, images)]
    columns = {name: np.array(values) for name, values in images.columns.items()}
    return answers == np.array(images.labels.values), columns | {"label": np.array(images.labels.values)}


@torch.inference_mode()
def classes(logits: Callable[[torch.Tensor], torch.Tensor], preprocess: Preprocess, images: Dataset) -> np.ndarray:
    """The class (N,) that each image gets; `logits` maps images (N, C, H, W) in [0, 1] to (N, K)."""
    pixels = (torch.from_numpy(one.images).float() / 255 for one in ImageStream(images, preprocess).batches(BATCH))
    return np.concatenate([logits(batch).argmax(dim=1).numpy() for batch in pixels])


def interval(hits: np.ndarray, runs: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Percentiles of the accuracy over samples of whole runs; `hits` and `runs` are (N,)."""
    _, which = np.unique(runs, return_inverse=True)
    found, total = np.bincount(which, weights=hits), np.bincount(which)
    drawn = rng.integers(len(total), size=(DRAWS, len(total)))
    shares = found[drawn].sum(axis=1) / total[drawn].sum(axis=1)
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def main() -> None:
    """Print a line for all images, each exposure and each label."""
    if len(sys.argv) != 3:  # noqa: PLR2004 - the script, MODEL, DATA
        raise SystemExit("by_run.py: give a model file and a folder of photographs, such as work/unseen")
    hits, columns = right(*sys.argv[1:])
    rng = np.random.default_rng(0)
    parts = {"all": np.ones(len(hits), bool)}
    for name in ("exposure", "label"):
        parts |= {f"{name} {value}": columns[name] == value for value in np.unique(columns[name])}
    for name, part in parts.items():
        low, high = interval(hits[part], columns["run"][part], rng)
        runs = len(np.unique(columns["run"][part]))
        print(f"{name:16} {hits[part].mean():.3f} [{low:.3f}, {high:.3f}]  {part.sum():4} photographs, {runs} runs")


if __name__ == "__main__":
    main()
