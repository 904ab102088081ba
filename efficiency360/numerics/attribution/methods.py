"""The methods by name: how each explains, and what it lacks on a model that it cannot explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from efficiency360.errors import AxisError
from efficiency360.numerics.attribution.baselines import Baseline, baselines
from efficiency360.numerics.attribution.cells import Cells
from efficiency360.numerics.attribution.gradcam import feature_cam, grad_cam
from efficiency360.numerics.attribution.gradients import integrated_gradients
from efficiency360.numerics.attribution.occlusion import occlusion
from efficiency360.numerics.attribution.rollout import attention_rollout
from efficiency360.numerics.attribution.trace import Trace
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from efficiency360.numerics.attribution.model import Model


@dataclass(frozen=True)
class How:
    """What methods need to know: the baseline, gradients a path, and windows along a side for occlusion."""

    baseline: Baseline
    path_steps: int
    windows: int


@dataclass(frozen=True)
class Method:
    """`explain` maps model, images (N, C, H, W), classes (N,) and settings to maps (N, H, W).

    `lacks` says what keeps it from explaining a model, tried on one image (1, C, H, W); empty where nothing does.
    """

    explain: Callable[[Model, Tensor, Tensor, How], Tensor]
    lacks: Callable[[Model, Tensor], str]


def _gradients(model: Model, images: Tensor, classes: Tensor, how: How) -> Tensor:
    start = baselines(images, how.baseline)
    return integrated_gradients(model, images, classes, start, how.path_steps)


def _grad_cam(model: Model, images: Tensor, classes: Tensor, how: How) -> Tensor:  # noqa: ARG001 - a method's shape
    return grad_cam(model, images, classes)


def _rollout(model: Model, images: Tensor, classes: Tensor, how: How) -> Tensor:  # noqa: ARG001 - a method's shape
    return attention_rollout(model, images)


def _occlusion(model: Model, images: Tensor, classes: Tensor, how: How) -> Tensor:
    windows = Cells.of(images.shape[2], images.shape[3], how.windows)
    return occlusion(model, images, classes, baselines(images, how.baseline), windows)


def _tried(work: Callable[[Model, Tensor, Tensor], object]) -> Callable[[Model, Tensor], str]:
    """What goes wrong with one image; empty where nothing does."""

    def lacks(model: Model, image: Tensor) -> str:
        if model.black_box:
            return model.black_box
        try:
            work(model, image, torch.zeros(1, dtype=torch.int64, device=image.device))
        except AxisError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a model may fail in any way when it is asked for gradients
            return f"it fails when it is asked so ({told(error)})"
        return ""

    return lacks


METHODS: Final[dict[str, Method]] = {
    "integrated_gradients": Method(_gradients, _tried(lambda model, image, zero: model.gradients(image, zero))),
    "grad_cam": Method(_grad_cam, _tried(feature_cam)),
    "attention_rollout": Method(_rollout, _tried(lambda model, image, _: attention_rollout(model, image))),
    "occlusion": Method(_occlusion, lambda _model, _image: ""),
}


def choose(model: Model, image: Tensor, wanted: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The methods that explain this model, and of those that were asked for by name but do not, why.

    `auto` stands for integrated gradients, Grad-CAM where the last thing before the head is convolution, rollout where
    there is attention among all tokens; for occlusion where none of these can be.

    Args:
        model: the model.
        image: (1, C, H, W), to try them on.
        wanted: names, or `auto`.
    """
    named = [name for name in wanted if name != "auto"]
    lacking = {name: METHODS[name].lacks(model, image) for name in named}
    found = [name for name in named if not lacking[name]]
    if "auto" in wanted:
        found += _automatic(model, image)
        if found == ["occlusion"]:
            lacking["integrated_gradients"] = METHODS["integrated_gradients"].lacks(model, image)
    return list(dict.fromkeys(found)), {name: why for name, why in lacking.items() if why}


def _automatic(model: Model, image: Tensor) -> list[str]:
    able = [name for name, method in METHODS.items() if name != "occlusion" and not method.lacks(model, image)]
    if "grad_cam" in able and _attends_last(model, image):
        able.remove("grad_cam")
    return able or ["occlusion"]


def _attends_last(model: Model, image: Tensor) -> bool:
    with torch.no_grad(), Trace(1) as trace:
        model.outputs(image)
    return bool(trace.attends_last)
