"""A loaded model behind one method: images in [0, 1] in, logits out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from efficiency360.errors import InputError
from efficiency360.subject.files.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.dataset.preprocess import Preprocess

_MATRIX_DIMS = 2


@dataclass(frozen=True)
class Stored:
    """Weights that are no parameters of the module: how many numbers, in how many bytes, buffers included in these."""

    params: int
    weights_bytes: int

    @classmethod
    def of(cls, tensors: Iterable[Tensor]) -> Stored:
        """Those of tensors that are weights if they hold floating-point numbers."""
        weights = [tensor for tensor in tensors if tensor.is_floating_point()]
        sizes = (tensor.numel() * tensor.element_size() for tensor in weights)
        return cls(sum(tensor.numel() for tensor in weights), sum(sizes))


@dataclass(frozen=True)
class Subject:
    """A model in evaluation mode on its device.

    `fingerprint` is the sha256 of the file's bytes (None without a file); `num_classes` is K; `output` says which part
    of a tuple, dict or dataclass holds the logits (None: the model returns them alone). `stored` are the weights where
    the module's parameters are not. `black_box` says why torch sees nothing of its arithmetic (empty: it does).
    `first` is what the module was asked first, as it takes it, and the logits that it answered.
    """

    module: nn.Module
    preprocess: Preprocess
    device: torch.device
    fingerprint: str | None
    num_classes: int
    output: int | str | None = None
    file_bytes: int | None = None
    stored: Stored | None = None
    black_box: str = ""
    first: tuple[Tensor, Tensor] | None = None

    @property
    def differentiable(self) -> bool:
        """Whether gradients reach the images."""
        return not self.black_box

    @property
    def weights(self) -> Stored:
        """How many parameters, and the bytes of parameters and buffers."""
        if self.stored is not None:
            return self.stored
        tensors = [*self.module.parameters(), *self.module.buffers()]
        sizes = (tensor.numel() * tensor.element_size() for tensor in tensors)
        return Stored(sum(weight.numel() for weight in self.module.parameters()), sum(sizes))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return (self.preprocess.channels, *self.preprocess.size)

    def at(self, height: int, width: int) -> Subject:
        """The same model for images of another size; whether it takes them, a forward pass tells."""
        return replace(self, preprocess=self.preprocess.at(height, width))

    def to_input(self, images: NDArray[np.generic]) -> Tensor:
        """A batch (N, C, H, W), uint8 or float32 in [0, 1], as a float32 tensor in [0, 1] on the subject's device."""
        tensor = torch.from_numpy(images).to(self.device)
        return tensor.float().div_(255) if tensor.dtype == torch.uint8 else tensor.float()

    def normalised(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1] -> what the module takes, in the type of its weights."""
        mean, std = (
            images.new_tensor(values).view(1, -1, 1, 1) for values in (self.preprocess.mean, self.preprocess.std)
        )
        return ((images - mean) / std).to(weights_dtype(self.module))

    def logits(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float in [0, 1] -> (N, K) logits; the normalisation is inside.

        Raises:
            InputError: the module returns something else than one row of logits an image.
        """
        return select_logits(self.module(self.normalised(images)), self.output, len(images))

    @torch.inference_mode()
    def asked_first_again(self) -> dict[str, NDArray[np.float32]]:
        """`earliest` and `earliest_again` (N, K): what it answered before all else, and answers now to the same images.

        Empty where it is not known what it was asked first.
        """
        if self.first is None:
            return {}
        asked, answered = self.first
        again = select_logits(self.module(asked.clone()), self.output, len(asked))
        return {"earliest": answered.float().cpu().numpy(), "earliest_again": again.float().cpu().numpy()}


def weights_dtype(module: nn.Module) -> torch.dtype:
    """The type of a module's first floating-point weight, which its input has to match; float32 without weights."""
    return next((weight.dtype for weight in module.parameters() if weight.is_floating_point()), torch.float32)


def select_logits(answer: Any, output: int | str | None, n: int) -> Tensor:
    """The (n, K) logits in what a module returned.

    Raises:
        InputError: they are not there; the message says what is.
    """
    chosen = _alone(answer) if output is None else _part(answer, output)
    if not isinstance(chosen, Tensor):
        raise InputError(
            f"the model returns {_describe(chosen)}; say which part holds the logits with output = ... under [model] in"
            " the manifest"
        )
    if chosen.ndim != _MATRIX_DIMS or len(chosen) != n or not chosen.is_floating_point():
        raise InputError(
            f"the model returns {_describe(chosen)} for {n} images; a classifier's logits have shape ({n}, classes)"
        )
    return chosen


def _alone(answer: Any) -> Any:
    """The answer itself, or the one thing that a tuple or list holds."""
    return answer[0] if isinstance(answer, tuple | list) and len(answer) == 1 else answer


def _part(answer: Any, output: int | str) -> Any:
    """A part by its place or name, or by a path of these with dots between them."""
    try:
        try:
            return _step(answer, output)
        except (LookupError, AttributeError, TypeError):
            first, dot, rest = str(output).partition(".")
            if not dot:
                raise
            return _part(_step(answer, int(first) if first.isdecimal() else first), rest)
    except (LookupError, AttributeError, TypeError) as error:
        raise InputError(f"output = {output!r} is not part of what the model returns: {_describe(answer)}") from error


def _step(answer: Any, output: int | str) -> Any:
    if isinstance(answer, tuple | list) and isinstance(output, str) and output.isdecimal():
        output = int(output)
    return answer[output] if isinstance(output, int) or isinstance(answer, dict) else getattr(answer, output)


def _describe(answer: Any) -> str:
    if isinstance(answer, Tensor):
        return f"a tensor {tuple(answer.shape)} of {str(answer.dtype).removeprefix('torch.')}"
    if isinstance(answer, dict):
        return f"a dict with {quoted([str(key) for key in answer])}"
    if isinstance(answer, tuple | list):
        return f"a {type(answer).__name__} of {len(answer)} ({', '.join(_describe(part) for part in answer[:3])})"
    return f"a {type(answer).__name__}"
