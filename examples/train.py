"""Train a model of the zoo, or fine-tune one of timm, on a folder of images or on the digits that come with e360.

What is written: OUT (safetensors), beside it a manifest, so that `e360 audit OUT` needs no more options, and
OUT-split.csv, which says of each image whether it was trained on. After each epoch a checkpoint is written; the same
command goes on from there. Images are decoded once and kept in memory, a byte for each channel of each pixel.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from training import Images, Lessons, Recipe, optimiser_of, right, train_epoch
from training_files import keep, on, read, resumed, scale_of, settings_of, started, teacher_of, write

from efficiency360.dataset.preprocess import Preprocess
from efficiency360.errors import E360Error, InputError
from efficiency360.files import sha256_json
from efficiency360.subject.formats.architectures import Wishes, build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


def train(options: argparse.Namespace, console: Console) -> None:
    """Read, train from the beginning or the checkpoint, and write."""
    out, checkpoint = options.out, options.out.with_suffix(".checkpoint")
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: give a name that ends in .safetensors")
    if out.exists() and not checkpoint.exists():
        raise InputError(f"{out} is there already; give another --out, or remove it")
    first = build(options.model, Wishes(size=options.size), seed=options.seed)
    size = options.size or first.preprocess.get("size")
    if size is None:
        raise InputError(f"{options.model}: give the size of its images with --size 64")
    channels = options.channels or first.preprocess.get("channels", 3)
    folder = read(options, Preprocess(size=size, resize=size, channels=channels))
    wishes = Wishes(num_classes=len(folder.classes), channels=channels, size=size)
    architecture = build(options.model, wishes, seed=options.seed)
    model = on(options.device, started(architecture, options))
    recipe = Recipe(**{key: getattr(options, key) for key in Recipe.__dataclass_fields__})
    seen = folder.part(trained=True, scale=scale_of(options, architecture))
    unseen = folder.part(trained=False, like=seen)
    lessons = Lessons(seen, recipe, teacher_of(options, len(folder.classes)))
    optimiser = optimiser_of(model, recipe)
    settings = settings_of(options, folder)
    done = resumed(checkpoint, settings, model, optimiser)
    console.print(f"{len(seen.labels)} images to train on, {len(unseen.labels)} held back; {done} epochs done")
    steps = math.ceil(len(seen.labels) / recipe.batch)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} steps"))
    said = "nothing held back"
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("training", total=recipe.epochs * steps, completed=done * steps)
        for epoch in range(done, recipe.epochs):
            start, total = time.perf_counter(), 0.0
            for loss in train_epoch(model, optimiser, lessons, epoch):
                total += loss
                progress.advance(bar)
            if not math.isfinite(total) or not all(one.isfinite().all() for one in model.state_dict().values()):
                raise InputError(f"epoch {epoch + 1}: not finite any more; give a smaller --rate than {recipe.rate:g}")
            keep(checkpoint, settings, model, optimiser, epoch + 1)
            said = score(model, unseen, recipe.batch)
            took = f"{time.perf_counter() - start:.1f} s"
            console.print(f"epoch {epoch + 1}/{recipe.epochs}  loss {total / steps:.4f}  {said}  {took}")
    notes = {
        "recipe": asdict(recipe),
        "settings": sha256_json(settings),
        "images": folder.fingerprint,
        "held_back": score(model, unseen, 256),
    }
    write(options, model.eval(), folder, seen, notes)
    checkpoint.unlink(missing_ok=True)
    data = options.data if len(unseen.labels) else "IMAGES"  # of those that it was trained on it knows the answers
    console.print(
        f"wrote {out} and its manifest; {notes['held_back']}. Next: e360 audit {out} --data {data}",
        soft_wrap=True,
    )


def score(model: nn.Module, data: Images, batch: int) -> str:
    """The accuracy on images in words."""
    if not len(data.labels):
        return "nothing held back"
    hits = right(model, data, batch)
    return f"{hits / len(data.labels):.2%} of {len(data.labels)} held back are right"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; --help shows examples."""
    parser = argparse.ArgumentParser(
        description="Train a model of the zoo, or fine-tune one of timm, on a folder of images.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  python examples/train.py --model zoo:turbovit_tiny --size 64 --data parts/ --out parts.safetensors\n"
        "  python examples/train.py --model zoo:my.toml --data parts/ --teacher big.safetensors --out my.safetensors\n"
        "  python examples/train.py --model timm:resnet18 --init r18.safetensors --shots 20 --freeze --data parts/\n"
        "    --out few.safetensors",
    )
    add = parser.add_argument
    add("--model", default="zoo:turbovit_tiny", help="zoo:NAME, zoo:PATH.toml, timm:NAME (default: zoo:turbovit_tiny)")
    add("--data", required=True, help="class folders, metadata.csv, .npz, digits-train; a column split parts them")
    add("--out", type=Path, required=True, help="safetensors file to write")
    add("--size", type=_size, help="of images, 64 or 64x96 (height x width; default: the model's)")
    add("--channels", type=int, choices=(1, 3), help="1 for grey images (default: the model's)")
    add("--epochs", type=_count, default=30, help="passes over the images (default: 30)")
    add("--batch", type=_count, default=64, help="images a step (default: 64)")
    add("--rate", type=_positive, default=1e-3, help="largest learning rate (default: 0.001)")
    add("--weight-decay", type=_share, default=0.05, help="of AdamW (default: 0.05)")
    add("--smoothing", type=_share, default=0.1, help="of labels (default: 0.1)")
    add("--mixup", type=_share, default=0.2, help="parameter of its beta distribution, 0 for none (default: 0.2)")
    add("--no-flip", dest="flip", action="store_false", help="never mirror images")
    add("--hold", type=_share, default=0.2, help="share held back where no column split says it (default: 0.2)")
    add("--shots", type=_count, help="train on at most so many images of each class")
    add("--init", help="safetensors file to begin with; a head for other classes is made anew")
    add("--freeze", action="store_true", help="train the head only")
    add("--keep-statistics", action="store_true", help="leave the means and variances of batch norms as they are")
    add("--teacher", help="model file to learn from")
    add("--teacher-arch", help="its architecture, where no manifest says it")
    add("--distil", type=_share, default=0.5, help="the teacher's share of the loss (default: 0.5)")
    add("--temperature", type=_positive, default=2.0, help="of the teacher's answers (default: 2)")
    add("--seed", type=_seed, default=0, help="of weights, order, augmentation and what is held back (default: 0)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    add("--threads", type=_count, default=torch.get_num_threads(), help="CPU threads (default: as torch has it)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; the exit code is 2 for bad input and 130 where it was stopped."""
    options, console = parse(arguments), Console(stderr=True, highlight=False)
    torch.set_num_threads(options.threads)
    try:
        train(options, console)
    except E360Error as error:
        console.print(f"train.py: {error}", markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on after the last whole epoch")
        return 130
    return 0


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _positive(text: str) -> float:
    if not 0 < (number := float(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _share(text: str) -> float:
    if not 0 <= (number := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _seed(text: str) -> int:
    if not 0 <= (number := int(text)) < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to {(1 << 32) - 1}")
    return number


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    return _count(height), _count(width or height)


if __name__ == "__main__":
    sys.exit(main())
