"""How often the robustness axis accuses an ordinary model of masked gradients.

Small architectures of timm, each trained for a moment on half of scikit-learn's digits, are attacked on the other half;
where the shared checkpoints lie beside the repository, these too. An accusation (a critical caveat) of one of them is a
false alarm. Printed: each model's accuracy and findings, then the rate with its 95 % interval.
Run: python benchmarks/false_alarms.py [IMAGES] [PATTERN ...]
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import timm
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.swa_utils import update_bn

import efficiency360
from efficiency360.dataset import from_arrays
from efficiency360.statistics.intervals import wilson

SMALL, LARGE = 32, 64
MODELS = {
    "resnet10t": SMALL,
    "resnet14t": SMALL,
    "resnet18": SMALL,
    "resnetv2_18": SMALL,
    "mobilenetv2_035": LARGE,
    "mobilenetv3_small_050": LARGE,
    "efficientnet_lite0": LARGE,
    "lcnet_035": LARGE,
    "mnasnet_small": LARGE,
    "test_byobnet": LARGE,
    "test_convnext": SMALL,
    "test_efficientnet": LARGE,
    "test_mambaout": SMALL,
    "test_nfnet": SMALL,
    "test_resnet": SMALL,
    "test_vit": SMALL,
    "test_vit2": SMALL,
    "test_vit3": SMALL,
    "convnext_atto": SMALL,
    "tf_efficientnetv2_b0": SMALL,
    "ghostnet_050": LARGE,
    "regnetx_002": SMALL,
    "repvgg_a0": SMALL,
    "densenet121": SMALL,
}
"""Architectures of timm, and the side of their images: depthwise convolutions learn nothing from 32 pixels."""
EPOCHS, ENOUGH = 60, 0.98


def digits(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 3, side, side) in [0, 1] and labels (N,)."""
    images, labels = load_digits(return_X_y=True)
    small = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    return nn.functional.interpolate(small, side, mode="bilinear").repeat(1, 3, 1, 1), torch.tensor(labels)


def trained(name: str, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """A model trained until it has 98 % of these images right, for 60 epochs at most."""
    torch.manual_seed(0)
    options = {"img_size": images.shape[-1]} if "vit" in name else {}
    model: nn.Module = timm.create_model(name, num_classes=10, **options)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3)
    for epoch in range(EPOCHS):
        right = 0
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(epoch))
        for rows in torch.split(order, 64):
            if len(rows) > 1:
                optimiser.zero_grad()
                logits = model(images[rows])
                right += int((logits.argmax(dim=1) == labels[rows]).sum())
                torch.autograd.backward(nn.functional.cross_entropy(logits, labels[rows]))
                optimiser.step()
        if right >= ENOUGH * len(images):
            break
    update_bn(torch.split(images, 64), model)
    return model.eval()


def accusations(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, list[str]]:
    """Clean accuracy, and the critical caveats of the axis."""
    settings = {
        "robustness": {"corruptions": [], "eps": [2 / 255, 8 / 255], "attacks": ["quick", "square(queries=300)"]}
    }
    side = images.shape[-1]
    data = from_arrays(images.permute(0, 2, 3, 1).numpy(), labels.numpy())
    axes = ["accuracy", "robustness"]
    card = efficiency360.audit(model, data, axes=axes, settings=settings, input=(3, side, side), threads=1)
    record, accuracy = card.axis("robustness"), card.axis("accuracy")
    if record is None or record.status != "measured" or accuracy is None:
        return float("nan"), [f"failed: {record.reason if record else 'not there'}"]
    critical = [caveat for caveat in record.caveats if caveat.severity == "critical"]
    return accuracy.measurements[0].value, [caveat.text for caveat in critical]


def main() -> None:
    """Attack every model."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    chosen = [name for name in MODELS if len(sys.argv) <= 2 or any(word in name for word in sys.argv[2:])]  # noqa: PLR2004
    warnings.simplefilter("ignore")
    alarms = 0
    for name in chosen:
        images, labels = digits(MODELS[name])
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
        train, held = order[: len(order) // 2], order[len(order) // 2 :][:n]
        accuracy, found = accusations(trained(name, images[train], labels[train]), images[held], labels[held])
        alarms += bool(found)
        print(f"{name:<24} accuracy {accuracy:.3f}  {'; '.join(found) or 'nothing'}", flush=True)
    rate = wilson(alarms, len(chosen))
    print(
        f"{alarms} false alarms in {len(chosen)} models: {alarms / len(chosen):.1%}, {rate.low:.1%} to {rate.high:.1%}"
    )


if __name__ == "__main__":
    main()
