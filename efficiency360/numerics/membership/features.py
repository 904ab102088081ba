"""What the last linear layer of a classifier sees, caught while the model answers as usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from types import TracebackType

_MATRIX_DIMS = 2
_POINT = (1, 1)
_CLOSE = 1e-3


class HeadInput:
    """A context in which each answer of a module can be asked for the features (N, D) that its logits were made from.

    The head is the last linear layer (or 1 x 1 convolution) with as many outputs as there are classes that ran, and
    whose output was the logits. Where there is none, the logits themselves are the features.
    """

    def __init__(self, module: nn.Module, num_classes: int) -> None:
        self._heads = [one for one in module.modules() if _outputs(one) == num_classes]
        self._handles: list[Any] = []
        self._last: tuple[Tensor, Tensor] | None = None
        self.on_logits = False

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._handles = [head.register_forward_hook(self._note) for head in self._heads]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()

    def of(self, logits: Tensor) -> Tensor:
        """The features (N, D) float32 behind the logits (N, K) that the module has just answered."""
        last, self._last = self._last, None
        if last is not None:
            seen, made = (one.flatten(1).float() for one in last)
            if len(seen) == len(logits) and made.shape == logits.shape and _same(made, logits):
                return seen.cpu()
        self.on_logits = True
        return logits.float().cpu()

    def _note(self, _module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            self._last = inputs[0].detach(), output.detach()


def _outputs(module: nn.Module) -> int | None:
    if isinstance(module, nn.Linear):
        return module.out_features
    return module.out_channels if isinstance(module, nn.Conv2d) and module.kernel_size == _POINT else None


def _same(made: Tensor, logits: Tensor) -> bool:
    scale = float(logits.abs().max())
    return bool(torch.allclose(made, logits.float(), atol=_CLOSE * max(scale, 1.0), rtol=0))
