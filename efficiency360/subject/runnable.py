"""Whether a module runs on images, for how many at once, and how many classes it answers. Used in the worker only."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from efficiency360.errors import InputError
from efficiency360.numerics.fixed_batch import FixedBatch
from efficiency360.records import Caveat
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.subject.subject import select_logits, weights_dtype

if TYPE_CHECKING:
    from torch import Tensor, nn

    from efficiency360.dataset.preprocess import Preprocess

_BATCH, _ANOTHER_BATCH = 2, 3
_USUAL_BATCHES = (1, 4, 8, 16, 32)
_SEARCH_SECONDS = 20.0


@dataclass(frozen=True)
class Runnable:
    """A module that takes any number of images, and what it was asked first and answered.

    `asked` (N, C, H, W) as the module takes them, `answered` (N, K) logits.
    """

    module: nn.Module
    asked: Tensor
    answered: Tensor
    caveats: tuple[Caveat, ...] = ()


@dataclass(frozen=True)
class Trial:
    """How to try a module: `output` says where its logits are, `interruptible` as in `answering`."""

    preprocess: Preprocess
    output: int | str | None
    device: torch.device
    interruptible: bool

    def run(self, module: nn.Module, batch: tuple[int, int] | None, *, may_be_fixed: bool) -> Runnable:
        """Run on two images of noise, no fewer and no more at once than `batch` says.

        Where nothing is said, a program (`may_be_fixed`) that does not run on two images and on three is tried with
        other numbers up to 32, the usual ones first.

        Raises:
            InputError: it does not run, or does not answer logits.
        """
        if batch is not None:
            return self._in_batches(module, *batch)
        try:
            runnable = Runnable(module, *self._answer(module, self.output))
        except InputError:
            if may_be_fixed and (found := self._fixed(module)):
                return found
            raise
        if may_be_fixed and not self._takes(module, _ANOTHER_BATCH):
            return self._in_batches(module, _BATCH, _BATCH)
        return runnable

    def _takes(self, module: nn.Module, n: int) -> bool:
        """Whether a module that takes two images takes n."""
        try:
            self._answer(module, self.output, n)
        except InputError:
            return False
        return True

    def _fixed(self, module: nn.Module) -> Runnable | None:
        """The module for the one number of images that is found to be written into it; None where none is found."""
        give_up = time.monotonic() + _SEARCH_SECONDS
        others = (n for n in range(1, max(_USUAL_BATCHES) + 1) if n not in (*_USUAL_BATCHES, _BATCH))
        for n in (*_USUAL_BATCHES, *others):
            with suppress(InputError):
                return self._in_batches(module, n, n)
            if time.monotonic() > give_up:
                break
        return None

    def _in_batches(self, module: nn.Module, least: int, most: int) -> Runnable:
        batched = FixedBatch(module, least, most, partial(_pick, output=self.output)).eval()
        caveats = (_limited(least, most),) if least > 1 or most == 1 else ()
        return Runnable(batched, *self._answer(batched, None), caveats)

    def _answer(self, module: nn.Module, output: int | str | None, n: int = _BATCH) -> tuple[Tensor, Tensor]:
        """Images of noise as the module takes them, and its logits."""
        noise = torch.rand(
            (n, self.preprocess.channels, *self.preprocess.size), generator=torch.Generator().manual_seed(0)
        )
        images = noise.to(self.device)
        shape = "x".join(map(str, images.shape[1:]))
        failed = f"the model does not run on a {shape} input"
        with answering(failed, way_on=_hint, interruptible=self.interruptible), torch.inference_mode():
            asked = images.to(weights_dtype(module))
            return asked, select_logits(module(asked.clone()), output, n).clone()


def _hint(told: str) -> str:
    """The size is the usual suspect, but not where the model wants other arguments."""
    return "" if "argument" in told else "; is that the right size (--input)?"


def _pick(answer: Any, n: int, *, output: int | str | None) -> Tensor:
    return select_logits(answer, output, n)


def _limited(least: int, most: int) -> Caveat:
    if most == 1:
        text = "The program takes one image at a time: a batch runs image by image."
    else:
        takes = f"exactly {least}" if least == most else f"{least} to {most}"
        text = (
            f"The program takes {takes} images at once: fewer are filled up with copies, so one image takes the time"
            f" and the memory of {least}. Its MACs are given for one image."
        )
    return Caveat(id="subject.fixed_batch", severity="info", text=text)
