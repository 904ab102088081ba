"""What a model makes of images before its last layer: found by what it does, not by names."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from efficiency360.errors import AxisError
from efficiency360.numerics.private.features import answered, check_alone, features, find_head


def test_features_are_what_the_last_linear_layer_is_given():
    model = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 7)).eval()
    images = torch.rand(6, 1, 8, 8)
    head = find_head(model, model, images[:2])
    assert (head.name, head.width) == ("4", 5)
    logits, seen = answered(model, head, model, images)
    assert torch.allclose(seen, model[:4](images))
    assert torch.allclose(logits, model(images))
    assert not model[4]._forward_hooks
    assert not model[4]._forward_pre_hooks


def test_what_is_done_to_the_answer_afterwards_does_not_matter():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Softmax(dim=1)).eval()
    images = torch.rand(5, 1, 2, 2)
    head = find_head(model, model, images)
    assert torch.equal(features(model, head, model, images), images.flatten(1))


class Twice(nn.Module):
    """Its last layer is called for two crops of an image."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, images):
        return self.head(images[..., :2].flatten(1)) + self.head(images[..., 2:].flatten(1))


@pytest.mark.parametrize(
    "model", [Twice(), nn.Sequential(nn.Conv2d(1, 3, (2, 4)), nn.Flatten())], ids=["twice", "none"]
)
def test_where_there_is_no_such_layer_the_logits_are_the_features(model):
    images = torch.rand(5, 1, 2, 4)
    head = find_head(model, model, images)
    assert (head.name, head.width) == ("", 3)
    assert "no linear layer" in head.why
    assert torch.equal(features(model, head, model, images), model(images))


def test_a_black_box_is_not_looked_into_and_says_why():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    head = find_head(model, model, torch.rand(2, 1, 2, 2), black_box="it is an ONNX file")
    assert (head.name, head.width, head.why) == ("", 3, "it is an ONNX file")


def test_features_that_depend_on_the_images_beside_are_refused():
    check_alone(lambda images: images.flatten(1) * 2, torch.rand(2, 1, 3, 3))
    with pytest.raises(AxisError, match="depends on the other images"):
        check_alone(lambda images: (images - images.mean(dim=0)).flatten(1), torch.rand(2, 1, 3, 3))
