"""What train.py reads and writes: images, weights to begin with, a teacher, checkpoints, and the trained model."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch
from torch.nn import functional
from training import Images

from efficiency360.dataset.formats import open_dataset
from efficiency360.dataset.members import SPLIT, has_members, membership
from efficiency360.dataset.stream import ImageStream
from efficiency360.errors import InputError
from efficiency360.files import sha256_file, write_atomic
from efficiency360.subject.load import load_subject
from efficiency360.subject.manifest import find_manifest, load_manifest
from efficiency360.subject.request import SubjectOptions, request_subject
from efficiency360.words import one_line, told
from efficiency360.zoo import spec_file
from efficiency360.zoo.turbovit import TurboViT, resized

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from efficiency360.dataset.core import Dataset
    from efficiency360.dataset.preprocess import Preprocess
    from efficiency360.subject.formats.architectures import Architecture

SHOWN = 3


@dataclass(frozen=True)
class Folder:
    """What was read: decoded images (N, C, H, W) uint8, classes (N,), whether each is trained on, and names."""

    data: Dataset
    pixels: Tensor
    labels: Tensor
    trained: NDArray[np.bool_]
    classes: tuple[str, ...]
    fingerprint: str
    interpolation: str

    def part(self, *, trained: bool, like: Images | None = None, scale: tuple[Tensor, Tensor] | None = None) -> Images:
        """The images that are trained on, or the others, which are normalised `like` those.

        `scale` is a mean and standard deviation to normalise by, (C,) in [0, 1] units; without, that of the images.
        """
        rows = torch.from_numpy(np.flatnonzero(self.trained == trained))
        pixels = self.pixels[rows]
        if like:
            return replace(like, pixels=pixels, labels=self.labels[rows])
        mean, std = scale or _spread(pixels)
        return Images(pixels, self.labels[rows], mean.view(-1, 1, 1), std.view(-1, 1, 1))


def _spread(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel (C,) of images (N, C, H, W) uint8, in [0, 1] units."""
    every = pixels.transpose(0, 1).flatten(1).double() / 255
    return every.mean(dim=1).float(), every.std(dim=1).clamp_min(1 / 255).float()


def scale_of(options: argparse.Namespace, architecture: Architecture) -> tuple[Tensor, Tensor] | None:
    """What the weights of --init are used to: the manifest beside them says it, else the architecture; None for none.

    Raises:
        InputError: there is a mistake in the manifest.
    """
    if not options.init:
        return None
    said = {key: value for key, value in architecture.preprocess.items() if key in ("mean", "std")}
    if beside := find_manifest(Path(options.init)):
        table = load_manifest(beside).preprocess
        said |= {key: value for key in ("mean", "std") if (value := getattr(table, key)) is not None}
    if said.keys() < {"mean", "std"}:
        return None
    mean, std = (torch.tensor(said[key], dtype=torch.float32).reshape(-1) for key in ("mean", "std"))
    return mean, std


def read(options: argparse.Namespace, preprocess: Preprocess) -> Folder:
    """Decode a data set and decide what is trained on: by its column `split`, else a share of each class is held back.

    Raises:
        InputError: no labels, one class, or images that cannot be read.
    """
    data = open_dataset(options.data)
    if data.labels is None:
        raise InputError(f"{options.data} has no labels; give class folders, or metadata.csv with file_name and label")
    names = data.labels.values
    classes = tuple(sorted(set(names), key=lambda name: (int(name) if name.isdecimal() else math.inf, name)))
    if len(classes) < 2:  # noqa: PLR2004 - a choice needs two
        raise InputError(
            f"{options.data}: all {len(data)} images are '{one_line(classes[0])}'; training needs two classes"
        )
    batches = list(ImageStream(data, preprocess, threads=options.threads).batches(256))
    broken = [data.files[at] for at in np.flatnonzero(~np.concatenate([one.readable for one in batches]))]
    if broken:
        shown = ", ".join(one_line(name) for name in broken[:SHOWN]) + (", ..." if len(broken) > SHOWN else "")
        raise InputError(f"{options.data}: {len(broken)} of {len(data)} images cannot be read ({shown}); remove them")
    pixels = np.concatenate([one.images for one in batches])
    if pixels.dtype != np.uint8:
        pixels = (pixels * 255).round().astype(np.uint8)
    labels = np.array([classes.index(name) for name in names])
    seen = split(data, labels, options)
    for at, name in enumerate(classes):
        if not (seen & (labels == at)).any():
            raise InputError(f"{options.data}: no image of class '{one_line(name)}' is left to train on")
    fingerprint = data.fingerprint(data.image_hashes())
    return Folder(
        data, torch.from_numpy(pixels), torch.from_numpy(labels), seen, classes, fingerprint, preprocess.interpolation
    )


def split(data: Dataset, labels: NDArray[np.int64], options: argparse.Namespace) -> NDArray[np.bool_]:
    """Which images are trained on (N,); of each class the same share is held back, and at most `shots` are taken."""
    chance = np.random.default_rng(options.seed)
    trained = np.ones(len(labels), bool)
    if has_members(data):
        trained = np.equal(membership(data.columns[SPLIT]), 1)
    else:
        for at in range(labels.max() + 1):
            rows = chance.permutation(np.flatnonzero(labels == at))
            trained[rows[: round(options.hold * len(rows))]] = False
    if options.shots:
        for at in range(labels.max() + 1):
            trained[chance.permutation(np.flatnonzero(trained & (labels == at)))[options.shots :]] = False
    return trained


def started(architecture: Architecture, options: argparse.Namespace) -> nn.Module:
    """The model to train: with weights from a file where one is given, but its head if that has other classes.

    Raises:
        InputError: the weights are of another architecture, or it is not known which layer is the head.
    """
    model, head = architecture.module, architecture.head or ""
    if options.init:
        state, own = weights_of(options.init), model.state_dict()
        if isinstance(model, TurboViT) and "positions.embedding" in state:
            state = resized(state, model.spec)
        for name in (head, head.replace("weight", "bias")):
            if name in state and name in own and state[name].shape != own[name].shape:
                # zeros: what an architecture draws for a thousand classes drowns two (Kolesnikov et al., Big
                # Transfer, 2020, section 3.3)
                state[name] = torch.zeros_like(own[name])
        apart = [name for name in own.keys() | state.keys() if name not in own or name not in state]
        apart += [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
        if apart:
            raise InputError(f"{options.init} does not fit {options.model}: '{one_line(min(apart))}' differs")
        model.load_state_dict(state)
    if options.freeze:
        if not head:
            raise InputError(f"--freeze: which layer of {options.model} is the head is not known")
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.rpartition(".")[0] == head.rpartition(".")[0])
    return model


def weights_of(path: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        InputError: it is missing, or is something else.
    """
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"--init {path} cannot be read as safetensors: {told(error)}") from error


def on(device: str, model: nn.Module) -> nn.Module:
    """The model on a device.

    Raises:
        InputError: there is none.
    """
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {device} cannot be used here: {told(error)}") from error


def teacher_of(options: argparse.Namespace, classes: int) -> Callable[[Tensor], Tensor] | None:
    """A function from images in [0, 1] to the teacher's logits, at the size that the teacher takes."""
    if not options.teacher:
        return None
    request = request_subject(options.teacher, SubjectOptions(arch=options.teacher_arch))
    subject, _ = load_subject(request.model_copy(update={"device": options.device, "threads": options.threads}))
    if subject.num_classes != classes:
        raise InputError(f"{options.teacher} tells {subject.num_classes} classes apart, the images have {classes}")
    size, channels = subject.preprocess.size, subject.preprocess.channels

    def taught(images: Tensor) -> Tensor:
        if images.shape[1] != channels:
            images = images.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)
        if tuple(images.shape[-2:]) != size:
            images = functional.interpolate(images, size=size, mode="bilinear", antialias=True)
        return subject.logits(images)

    return taught


def settings_of(options: argparse.Namespace, folder: Folder) -> dict[str, Any]:
    """Everything that the weights depend on."""
    chosen = {key: value for key, value in vars(options).items() if key not in ("out", "data")}
    files = [path for path in (options.init, options.teacher, spec_file(options.model)) if path]
    hashes = {f"content of {path}": sha256_file(Path(path)) for path in files if Path(path).is_file()}
    return {**{key: str(value) for key, value in chosen.items()}, **hashes, "images": folder.fingerprint}


def resumed(path: Path, settings: dict[str, Any], model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Go on from a checkpoint if there is one; the number of epochs that are done.

    Raises:
        InputError: it was begun with other settings, or is not whole.
    """
    if not path.exists():
        return 0
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        before, epoch = json.loads(kept["settings"]), int(kept["epoch"])
    except Exception as error:
        raise InputError(f"{path} is not a checkpoint of this script; remove it to begin anew") from error
    if other := [key for key in settings.keys() | before.keys() if settings.get(key) != before.get(key)]:
        key = min(other)
        raise InputError(
            f"{path} was begun with other settings ({key}: {before.get(key)}, now {settings.get(key)}); give the same"
            " to go on, or remove it to begin anew"
        )
    model.load_state_dict(kept["model"])
    optimiser.load_state_dict(kept["optimiser"])
    return epoch


def keep(path: Path, settings: dict[str, Any], model: nn.Module, optimiser: torch.optim.Optimizer, epoch: int) -> None:
    """Write a checkpoint; where that fails the one before stays."""
    buffer = io.BytesIO()
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch}
    torch.save({**state, "settings": json.dumps(settings)}, buffer)
    write_atomic(path, buffer.getvalue())


def write(options: argparse.Namespace, model: nn.Module, folder: Folder, data: Images, notes: dict[str, Any]) -> None:
    """Write the weights, and beside them the manifest and which images were trained on.

    `notes` are kept as JSON in the weights' metadata, as `training`: one entry, since safetensors writes several in an
    order of chance, and the same training is to make the same file.
    """
    out, spec = options.out, spec_file(options.model)
    arch = f"zoo:{os.path.relpath(spec, out.parent)}" if spec else options.model
    size = list(data.pixels.shape[2:])
    lines = [
        "[model]",
        f"file = {json.dumps(out.name)}",
        f"arch = {json.dumps(arch)}",
        "",
        "[preprocess]",
        f"size = {size}",
        f"resize = {size}",
        f'interpolation = "{folder.interpolation}"',  # an architecture may have another
        f"channels = {data.pixels.shape[1]}",
        f"mean = {[round(value, 6) for value in data.mean.flatten().tolist()]}",
        f"std = {[round(value, 6) for value in data.std.flatten().tolist()]}",
        "",
        "[labels]",
        f"names = {json.dumps(folder.classes, ensure_ascii=False)}",
    ]
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["file_name", "label", "split"])
    names = zip(folder.data.files, folder.labels.tolist(), folder.trained, strict=True)
    rows.writerows([file, folder.classes[label], "train" if trained else "test"] for file, label, trained in names)
    write_atomic(out.with_name(f"{out.stem}-split.csv"), table.getvalue().encode())
    write_atomic(out.with_suffix(".toml"), "\n".join([*lines, ""]).encode())
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomic(out, safetensors.torch.save(state, {"training": json.dumps(notes)}))
