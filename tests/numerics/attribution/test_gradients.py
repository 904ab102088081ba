"""Integrated gradients and Grad-CAM against closed forms, and against captum where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from efficiency360.errors import AxisError
from efficiency360.numerics.attribution import METHODS, How, baselines, choose
from efficiency360.numerics.attribution.gradcam import feature_cam, grad_cam
from efficiency360.numerics.attribution.gradients import integrated_gradients


class Cubic(nn.Module):
    """Output k is the sum of weight k times the cube of each pixel."""

    def __init__(self, pixels, classes=3):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(pixels, classes, generator=torch.Generator().manual_seed(0)))

    def forward(self, x):
        return x.flatten(1) ** 3 @ self.weight


def test_of_a_cubic_each_pixel_gets_what_it_adds(asked, images, classes):
    module = Cubic(images[0].numel()).double()
    start = baselines(images, "mean").double()
    found = integrated_gradients(asked(module), images.double(), classes % 3, start, 2)
    each = (images.double() ** 3 - start**3).flatten(1) * module.weight.T[classes % 3]
    assert torch.allclose(found, each.view(images.shape).sum(dim=1).detach())


def test_maps_add_up_to_the_difference_of_the_outputs(asked, convolutional, images, classes):
    model, start = asked(convolutional), baselines(images, "black")
    found = integrated_gradients(model, images, classes, start, 200).sum(dim=(1, 2))
    assert torch.allclose(found, model.scores(images, classes) - model.scores(start, classes), atol=2e-3)


def test_batches_do_not_matter(asked, convolutional, images, classes):
    start = baselines(images, "blur")
    one, other = (integrated_gradients(asked(convolutional, batch=n), images, classes, start, 7) for n in (3, 100))
    assert torch.allclose(one, other, atol=1e-6)
    assert torch.allclose(
        grad_cam(asked(convolutional, batch=2), images, classes), grad_cam(asked(convolutional), images, classes)
    )


def test_passes_are_counted(asked, convolutional, images, classes):
    model = asked(convolutional)
    integrated_gradients(model, images, classes, baselines(images, "mean"), 7)
    assert (model.forwards, model.backwards) == (35, 35)


def test_grad_cam_is_the_head_s_weight_of_each_channel_where_the_mean_is_pooled(asked, convolutional, images, classes):
    features = convolutional.last(convolutional.second(torch.relu(convolutional.first(images))))
    weights = convolutional.head.weight[classes] / features[0, 0].numel()
    expected = torch.einsum("nc,nchw->nhw", weights, features).relu()
    found = torch.cat([feature_cam(asked(convolutional), images[i : i + 1], classes[i : i + 1]) for i in range(5)])
    assert expected.max() > 0
    assert torch.allclose(found, expected, atol=1e-7)


def test_the_last_feature_map_is_found_in_functional_code_and_after_an_addition(asked, images, classes):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.randn(3, 3, 3, 3, generator=torch.Generator().manual_seed(2)))

        def forward(self, x):
            return functional.relu(functional.conv2d(x, self.weights, padding=1) + x, inplace=True).mean(dim=(2, 3))

    module = Residual()
    features = torch.relu(functional.conv2d(images, module.weights, padding=1) + images)
    expected = features[torch.arange(5), classes % 3].detach() / 144
    found = feature_cam(asked(module), images, classes % 3)
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_model_cut_off_from_its_image_cannot_be_explained_by_gradients(asked, images):
    module = nn.Sequential(nn.Flatten(), nn.Linear(432, 2))
    model = asked(module)
    model.logits = lambda x: module(x).detach()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    found, lacking = choose(model, images[:1], ["auto"])
    assert found == ["occlusion"]
    assert "gradients" in lacking["integrated_gradients"]


def test_a_model_without_convolutions_has_no_grad_cam(asked, images, classes):
    module = nn.Sequential(nn.Flatten(), nn.Linear(432, 4))
    assert choose(asked(module), images[:1], ["auto"]) == (["integrated_gradients"], {})
    with pytest.raises(AxisError, match="no convolution"):
        METHODS["grad_cam"].explain(asked(module), images, classes, How("mean", 3, 4))


@pytest.mark.filterwarnings("default")  # what the library warns of is its own
def test_integrated_gradients_are_captum_s(asked, convolutional, images, classes):
    attr = pytest.importorskip("captum.attr", reason="captum is not installed")
    start = baselines(images, "mean")
    theirs = attr.IntegratedGradients(convolutional).attribute(images, start, target=classes, n_steps=20)
    ours = integrated_gradients(asked(convolutional), images, classes, start, 20)
    assert torch.allclose(ours, theirs.sum(dim=1).detach(), atol=1e-5)


@pytest.mark.filterwarnings("default")  # what the library warns of is its own
def test_grad_cam_is_captum_s(asked, convolutional, images, classes):
    attr = pytest.importorskip("captum.attr", reason="captum is not installed")
    cam = attr.LayerGradCam(convolutional, convolutional.last)
    theirs = cam.attribute(images, target=classes, relu_attributions=True)[:, 0].detach()
    ours = torch.cat([feature_cam(asked(convolutional), images[i : i + 1], classes[i : i + 1]) for i in range(5)])
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_occlusion_of_a_linear_model_is_what_each_window_adds(asked, images, classes):
    module = nn.Sequential(nn.Flatten(), nn.Linear(432, 4))
    found = METHODS["occlusion"].explain(asked(module), images, classes, How("black", 1, 4))
    weight = module[1].weight.detach()[classes].view(5, 3, 12, 12)
    windows = (weight * images).sum(dim=1).view(5, 4, 3, 4, 3).sum(dim=(2, 4))
    assert torch.allclose(found, windows.repeat_interleave(3, 1).repeat_interleave(3, 2), atol=1e-5)


@pytest.mark.parametrize("kind", ["blur", "mean"])
def test_a_baseline_keeps_the_brightness_and_loses_the_contrast(images, kind):
    found = baselines(images, kind)
    assert found.shape == images.shape
    assert found.std() < 0.3 * images.std()
    assert torch.allclose(found.mean(), images.mean(), atol=0.02)
    assert torch.allclose(baselines(torch.full((1, 1, 3, 5), 0.25), kind), torch.full((1, 1, 3, 5), 0.25))


def test_a_blur_is_scipy_s(images):
    filters = pytest.importorskip("scipy.ndimage")
    expected = filters.gaussian_filter(images[0, 0].double().numpy(), 12 / 8, mode="reflect", truncate=3.34)
    np.testing.assert_allclose(baselines(images, "blur")[0, 0], expected, atol=1e-5)
