"""How a model behaves when it is asked again: by chance, by memory, by its neighbours in the batch, on its input."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from efficiency360.numerics.chance import seed_all
from efficiency360.words import one_line, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

_SIMPLE = (bool, int, float, str, bytes, type(None))
_TOLD = 3
_LONGEST = 80


def ask_again(
    module: nn.Module, answer: Callable[[Tensor], Tensor], images: Tensor, seed: int
) -> dict[str, NDArray[np.generic]]:
    """Ask a module the same several times.

    Args:
        module: in evaluation mode.
        answer: runs it: (N, C, H, W) -> (N, K) logits; what it is given is a copy of `images`.
        images: normalised, N at least 2.
        seed: of torch, numpy and random before each call.

    Returns:
        `first`, `same_seed`, `other_seed` (N, K) and `alone` (1, K: the first image by itself, or 0, K where it refuses
        one), float32; `changes_input`, `trains` (1,) bool; `reseeds` names of generators, `keeps` attributes that
        differ from call to call, `refuses_one` why it refuses one image, all text.
    """
    with torch.inference_mode():
        seed_all(seed)
        first, before = answer(images.clone()), _state(module)
        seed_all(seed)
        given = images.clone()
        same_seed = answer(given)
        after_one = _drawn_next()
        seed_all(seed + 1)
        other_seed = answer(images.clone())
        after_other = _drawn_next()
        kept = [name for name, value in _state(module).items() if before.get(name) != value]
        trains = _trains(module)
        alone, refusal = _alone(answer, images, first)  # last: a refusal may leave a mode half changed
    answers = {"first": first, "same_seed": same_seed, "other_seed": other_seed, "alone": alone}
    return {
        **{name: logits.detach().float().cpu().numpy() for name, logits in answers.items()},
        "changes_input": np.array([not torch.equal(given, images)]),
        "trains": np.array([trains]),
        "reseeds": np.array([name for name in after_one if after_one[name] == after_other[name]], dtype=np.str_),
        "keeps": np.array([one_line(name, _LONGEST) for name in kept[:_TOLD]], dtype=np.str_),
        "refuses_one": np.array(refusal, dtype=np.str_),
    }


def _alone(answer: Callable[[Tensor], Tensor], images: Tensor, first: Tensor) -> tuple[Tensor, list[str]]:
    """The first image's answer by itself; a model that acts as in training may refuse one image, which says why."""
    try:
        return answer(images[:1].clone()), []
    except Exception as error:  # noqa: BLE001 - the model's own code may raise anything
        return first[:0], [told(error)]


def _drawn_next() -> dict[str, float]:
    """The next number of each global generator: the same after different seeds only where the model set its own."""
    return {
        "torch": float(torch.rand(())),
        "numpy": float(np.random.random()),  # noqa: NPY002 - see above
        "random": random.random(),  # noqa: S311 - see above
    }


def _trains(module: nn.Module) -> bool:
    return any(getattr(part, "training", False) is True for part in module.modules())


def _state(module: nn.Module) -> dict[str, Any]:
    """What a module's parts hold beside their weights, and which version of each tensor; no tensor is read."""
    return {
        f"{type(part).__name__}.{name}": value
        for part in module.modules()
        for name, value in _attributes(part)
        if value
    }


def _attributes(part: nn.Module) -> Iterator[tuple[str, object]]:
    for name, value in list(getattr(part, "__dict__", {}).items()):
        if name in {"_parameters", "_buffers"}:
            yield from ((key, _version(tensor)) for key, tensor in value.items())
        elif isinstance(value, torch.Tensor):
            yield name, _version(value)
        elif isinstance(value, list | dict | set | tuple) and not name.startswith("_"):
            yield name, ("length", len(value))
        elif isinstance(value, _SIMPLE):
            yield name, ("value", value)


def _version(tensor: Tensor | None) -> tuple[int, int] | None:
    if tensor is None:
        return None
    return id(tensor), 0 if tensor.is_inference() else tensor._version  # noqa: SLF001 - torch's count of writes
