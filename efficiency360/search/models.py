"""Trained candidates on disk: weights, the manifest that `e360 audit` reads beside them, and the architecture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from efficiency360.files import write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from efficiency360.search.data import Images, Sized
    from efficiency360.search.training import Trained
    from efficiency360.zoo.spec import TurboViTSpec

WEIGHTS, SPEC = "model.safetensors", "architecture.toml"


def write_spec(path: Path, spec: TurboViTSpec, description: str) -> None:
    """A spec as a file that `zoo:PATH` takes."""
    lines = [
        f"description = {json.dumps(description)}",
        f"channels = {spec.channels}",
        f"size = {spec.size[0]}",
        f"classes = {spec.classes}",
        f"unit = {spec.unit}",
        "",
        "[stem]",
        f"kernel = {spec.stem.kernel}",
        f"stride = {spec.stem.stride}",
        f"padding = {spec.stem.padding}",
    ]
    for stage in spec.stages:
        lines += [
            "",
            "[[stages]]",
            f"depth = {stage.depth}",
            f"width = {stage.width[0]}",
            f"heads = {stage.heads[0]}",
            f"mlp_ratio = {stage.mlp_ratio[0]:g}",
            f"attention = {json.dumps(stage.attention[0])}",
            f"pool = {json.dumps(stage.pool)}",
        ]
    write_atomic(path, "\n".join([*lines, ""]).encode())


def write_model(folder: Path, spec: TurboViTSpec, trained: Trained, images: Images, description: str) -> None:
    """Weights, manifest and architecture into a folder.

    Raises:
        InputError: it cannot be written.
    """
    import safetensors.torch  # noqa: PLC0415 - brings torch

    size, data = spec.size[0], images.at(spec.size[0])
    write_spec(folder / SPEC, spec, description)
    write_atomic(folder / "model.toml", _manifest(size, data, images).encode())
    state = trained.model.state_dict()
    tensors = {name.removeprefix("model."): tensor.detach().contiguous() for name, tensor in state.items()}
    write_atomic(folder / WEIGHTS, safetensors.torch.save(tensors))


def _manifest(size: int, data: Sized, images: Images) -> str:
    lines = [
        "[model]",
        f"file = {json.dumps(WEIGHTS)}",
        f"arch = {json.dumps(f'zoo:{SPEC}')}",
        "",
        "[preprocess]",
        f"size = [{size}, {size}]",
        f"resize = [{size}, {size}]",
        f"channels = {images.channels}",
        f"mean = {[round(float(value), 6) for value in data.mean]}",
        f"std = {[round(float(value), 6) for value in data.std]}",
        "",
        "[labels]",
        f"names = {json.dumps(images.classes, ensure_ascii=False)}",
        "",
    ]
    return "\n".join(lines)
