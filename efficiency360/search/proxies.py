"""Scores of an untrained network that may tell how well it will learn, each in well under a second. Needs torch.

How well each tells it here is measured: see `inquisitor`. On small transformers none is known to beat counting
parameters reliably, so parameters and multiply-adds are reported beside them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from efficiency360.search.training import Normalised
from efficiency360.zoo.turbovit import TurboViT

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from efficiency360.search.data import Sized
    from efficiency360.zoo.spec import TurboViTSpec

_IMAGES = 32
_NUDGE = 0.01
_SMALL = 1e-5


def proxies(spec: TurboViTSpec, data: Sized, *, seed: int = 0) -> dict[str, float]:
    """All proxies by name, larger meaning better; from weights drawn with a seed and the first training images.

    A score that is not finite is left out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Normalised(TurboViT(spec), data).eval()
        chosen = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))[:_IMAGES]
        images = torch.from_numpy(data.train.pixels)[chosen].float() / 255
        labels = torch.from_numpy(data.train.labels)[chosen]
        found = {
            "synflow": synflow(model, images),
            "jacob_cov": jacob_cov(model, images),
            "grad_norm": grad_norm(model, images, labels),
            "zen": zen(model, images),
        }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def synflow(model: nn.Module, images: Tensor) -> float:
    """Log of the sum of |weight x gradient| with all weights made positive, of an image of ones.

    Source: Tanaka et al., Pruning neural networks without any data by conserving synaptic flow, 2020, equation 2.
    """
    kept = {name: one.detach().clone() for name, one in model.named_parameters()}
    with torch.no_grad():
        for one in model.parameters():
            one.abs_()
    model.zero_grad()
    torch.autograd.backward(model(torch.ones_like(images[:1])).sum())
    flow = _total(model, lambda weight, gradient: weight.abs() * gradient.abs())
    with torch.no_grad():
        for name, one in model.named_parameters():
            one.copy_(kept[name])
    return math.log(flow) if flow > 0 else math.nan


def jacob_cov(model: nn.Module, images: Tensor) -> float:
    """How unlike the gradients of different images are, from the eigenvalues of their correlations; 0 at best.

    Source: Mellor et al., Neural Architecture Search without Training, 2020 (arXiv 2006.04647v1), section 3.
    """
    asked = images.clone().requires_grad_()
    (jacobian,) = torch.autograd.grad(model(asked).sum(), asked)
    rows = jacobian.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    if not bool((norms > 0).all()):
        return math.nan
    rows = rows / norms
    values = torch.linalg.eigvalsh(rows @ rows.T).clamp_min(0) + _SMALL
    return -float((values.log() + 1 / values).mean()) + 1


def grad_norm(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Log of the length of the loss's gradient.

    Source: Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, 2021, section 3.
    """
    model.zero_grad()
    torch.autograd.backward(functional.cross_entropy(model(images), labels))
    total = _total(model, lambda _, gradient: gradient**2)
    return math.log(total) / 2 if total > 0 else math.nan


@torch.no_grad()
def zen(model: nn.Module, images: Tensor) -> float:
    """Log of how far the features move when the image is nudged.

    Source: Lin et al., Zen-NAS, 2021, section 3.2; without its correction for batch norm, which is not here.
    """
    inner = model.model
    assert isinstance(inner, TurboViT)  # noqa: S101 - `proxies` made it
    plain = torch.randn_like(images)
    moved = inner.features(plain + _NUDGE * torch.randn_like(images)) - inner.features(plain)
    return math.log(max(float(moved.norm(dim=1).mean()), 1e-30))


@torch.no_grad()
def _total(model: nn.Module, of: Callable[[Tensor, Tensor], Tensor]) -> float:
    """A sum over all weights and their gradients."""
    return sum(float(of(one.double(), one.grad.double()).sum()) for one in model.parameters() if one.grad is not None)
