"""Borrow a model for one observed forward pass, and give it back as it was."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def left_as_found(module: nn.Module, images: Tensor) -> Iterator[nn.Module]:
    """Give the module in evaluation mode, uncompiled and without fused attention, its weights not learning.

    Afterwards its modes, weights' flags, buffers (the tensors and their content), compiled calls and torch's random
    numbers are as before. Other attributes that a forward pass may write are not watched.

    Yields:
        The module itself, or the one inside ``torch.compile``.
    """
    plain: nn.Module = getattr(module, "_orig_mod", module)
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[images.device] if images.is_cuda else []))
        stack.enter_context(without_fused_attention())
        for part in plain.modules():
            _keep_state(part, stack)
            _uncompile(part, stack)
        for weight in filter(_learns, plain.parameters()):
            # Autocast caches copies of weights that learn, and the tracer takes no constant that does.
            stack.callback(weight.requires_grad_)
            weight.requires_grad_(False)
        yield plain


def _keep_state(part: nn.Module, stack: ExitStack) -> None:
    if getattr(part, "training", False):
        stack.callback(setattr, part, "training", True)
        part.training = False
    for name, tensor in part.named_buffers(recurse=False):
        stack.callback(_restore, part, name, tensor, tensor.clone())


def _restore(part: nn.Module, name: str, tensor: Tensor, content: Tensor) -> None:
    if getattr(part, name, None) is not tensor:
        setattr(part, name, tensor)
    if not torch.equal(tensor, content):
        tensor.copy_(content)


def _uncompile(part: nn.Module, stack: ExitStack) -> None:
    """Undo ``part.compile()`` and ``torch.compile(part.child)``: neither can be traced."""
    compiled_call = vars(part).get("_compiled_call_impl")
    if compiled_call is not None:
        stack.callback(setattr, part, "_compiled_call_impl", compiled_call)
        vars(part)["_compiled_call_impl"] = None
    for name, child in part.named_children():
        original = getattr(child, "_orig_mod", None)
        if original is not None:
            stack.callback(part.add_module, name, child)
            part.add_module(name, original)


def _learns(weight: nn.Parameter) -> bool:
    return weight.requires_grad


@contextmanager
def without_fused_attention() -> Iterator[None]:
    """Make ``nn.MultiheadAttention`` and ``nn.TransformerEncoderLayer`` run operator by operator."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=before)
