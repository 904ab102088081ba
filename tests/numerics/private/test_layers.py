"""Gradients of single images, layer by layer, against a loop of backward passes and against opacus."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
from torch import nn

from efficiency360.errors import AxisError
from efficiency360.numerics.private import layers
from efficiency360.numerics.private.recipe import Recipe, Run
from efficiency360.numerics.private.tuning import NewHead, tune
from efficiency360.numerics.private.watching import clipped_gradients, plan
from efficiency360.zoo import create

N, SIDE, CLASSES = 5, 8, 3


class Same(nn.Conv2d):
    """A convolution that is none as torch has it: it pads its input itself."""

    def forward(self, x):
        return super().forward(nn.functional.pad(x, (1, 0, 1, 0)))


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 1.5]))

    def forward(self, x):
        return x * self.gamma[:, None, None]


def small():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        Scale(),
        Same(4, 4, 2, bias=False),
        nn.GroupNorm(2, 4),
        nn.Conv2d(4, 6, 1, groups=2),
        nn.Flatten(2),
        nn.LayerNorm(16),
        nn.Linear(16, 7),
        nn.GELU(),
        nn.Linear(7, 5, bias=False),
        nn.Flatten(),
        nn.Linear(30, CLASSES),
    )


def digits():
    return create("digits_transformer")


def vit():
    options = {"img_size": 16, "patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3, "in_chans": 1}
    return timm.models.VisionTransformer(num_classes=CLASSES, **options)


MODELS = {"small": (small, SIDE), "digits": (digits, 32), "vit": (vit, 16)}


def made(name):
    torch.manual_seed(0)
    build, side = MODELS[name]
    module = build().eval().requires_grad_(requires_grad=False)
    images = torch.rand(N, 1, side, side)
    return module, images, torch.arange(N) % CLASSES


def alone(module, parameters, image, target):
    """The gradient of one image by autograd, as it stands in every textbook."""
    for one in parameters:
        one.requires_grad_(requires_grad=True)
    loss = nn.functional.cross_entropy(module(image[None]), target[None])
    gradients = torch.autograd.grad(loss, parameters)
    for one in parameters:
        one.requires_grad_(requires_grad=False)
    return gradients


def length(gradients):
    return torch.sqrt(sum(gradient.square().sum() for gradient in gradients))


@pytest.mark.parametrize("places", ["by places", "by matrices"])
@pytest.mark.parametrize("limit", [torch.inf, 0.3, 1e-3])
@pytest.mark.parametrize("biases", ["", "head"], ids=["all", "biases"])
@pytest.mark.parametrize("name", MODELS)
def test_sums_of_clipped_gradients_are_those_of_a_loop(name, biases, limit, places, monkeypatch):
    if places == "by matrices":
        monkeypatch.setattr(layers, "_CELLS", 100)
    module, images, targets = made(name)
    chosen = plan(module, module, images, biases=biases)
    found = clipped_gradients(chosen, module, images, targets, limit)
    wanted = [torch.zeros_like(one) for one in chosen.parameters]
    for row in range(N):
        gradients = alone(module, chosen.parameters, images[row], targets[row])
        scale = min(1.0, float(limit / length(gradients)))
        assert float(found.lengths[row]) == pytest.approx(scale * float(length(gradients)), rel=1e-4)
        wanted = [total + scale * gradient for total, gradient in zip(wanted, gradients, strict=True)]
    for one, other in zip(found.sums, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-5, rtol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_lengths_are_those_of_opacus():
    from opacus.grad_sample import GradSampleModule  # noqa: PLC0415 - warns where it is imported

    module, images, targets = made("vit")
    chosen = plan(module, module, images)
    found = clipped_gradients(chosen, module, images, targets, torch.inf)
    theirs = copy.deepcopy(module)
    wanted = {f"{layer.path}.{name}" for layer in chosen.layers for name in layer.names}
    for name, one in theirs.named_parameters():
        one.requires_grad_(name in wanted)
    wrapped = GradSampleModule(theirs.train(), loss_reduction="sum")
    nn.functional.cross_entropy(wrapped(images), targets, reduction="sum").backward()
    samples = [one.grad_sample for one in theirs.parameters() if one.requires_grad]
    assert found.lengths.tolist() == pytest.approx(
        torch.stack([s.flatten(1).square().sum(dim=1) for s in samples]).sum(dim=0).sqrt().tolist(), rel=1e-4
    )


class TestWhatIsTrained:
    def test_biases_alone_and_the_new_layer(self):
        module, images, _ = made("small")
        chosen = plan(module, module, images, biases="12")
        assert {(layer.path, layer.names) for layer in chosen.layers if layer.path == "12"} == {
            ("12", ("weight", "bias"))
        }
        assert {layer.names for layer in chosen.layers if layer.path != "12"} == {("bias",)}

    def test_norms_over_batches_are_left_alone_also_those_of_timm(self):
        module = (
            timm.create_model("tf_efficientnet_lite0", num_classes=CLASSES).eval().requires_grad_(requires_grad=False)
        )
        chosen = plan(module, module, torch.rand(2, 3, 32, 32))
        (paths,) = chosen.frozen.values()
        assert "bn1" in paths
        assert list(chosen.frozen) == ["normalises by statistics of batches"]
        assert not any("bn" in layer.path for layer in chosen.layers)

    def test_parameters_beside_layers_are_left_alone(self):
        module, images, _ = made("vit")
        assert plan(module, module, images).frozen == {"has parameters beside its layers": ("the model itself",)}

    def test_a_layer_that_is_called_twice_is_left_alone(self):
        layer = nn.Linear(4, 4)
        module = nn.Sequential(layer, layer, nn.Linear(4, 2)).requires_grad_(requires_grad=False)
        chosen = plan(module, module, torch.rand(3, 4))
        assert [one.path for one in chosen.layers] == ["2"]
        assert chosen.frozen == {"is called more than once": ("0",)}

    def test_a_layer_within_attention_that_is_not_called_is_left_alone(self):
        module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval().requires_grad_(requires_grad=False)
        frozen = plan(module, module, torch.rand(3, 5, 8)).frozen
        assert frozen["is not called by itself, with a row an image"] == ("self_attn.out_proj",)
        assert frozen["has parameters beside its layers"] == ("self_attn",)


class Overwriting(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        y = self.first(x)
        z = self.second(y)
        y.add_(1)
        return z


def test_a_model_that_overwrites_what_it_gave_a_layer_is_refused():
    module = Overwriting().requires_grad_(requires_grad=False)
    chosen = plan(module, module, torch.rand(3, 4))
    with pytest.raises(AxisError, match="overwrites what it gave the layer 'second'"):
        clipped_gradients(chosen, module, torch.rand(3, 4), torch.zeros(3, dtype=torch.int64), 1.0)


def trained(physical, sigma=0.5, seed=3):
    module, _, _ = made("small")
    images = torch.rand(20, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(20) % CLASSES
    chosen = plan(module, module, images[:2])
    how = Recipe(20, 4, 0.5, 0.3, 0.2, 0.5)
    trail = tune(chosen, module, lambda rows: images[rows], targets, how, Run(seed, sigma), physical)
    return module, chosen, trail, images, targets, how


def test_physical_batches_change_nothing():
    one, other = trained(3)[1].parameters, trained(20)[1].parameters
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, other, strict=True))


def test_a_training_is_that_of_a_loop():
    after, chosen, trail, images, targets, how = trained(7)
    module, _, _ = made("small")
    parameters = plan(module, module, images[:2]).parameters
    velocity = [torch.zeros_like(one) for one in parameters]
    generator = torch.Generator().manual_seed(3)
    taken = 0
    for _ in range(how.steps):
        rows = (torch.rand(how.n, generator=generator) < how.rate).nonzero()[:, 0].tolist()
        taken += len(rows)
        sums = [torch.zeros_like(one) for one in parameters]
        for row in rows:
            gradients = alone(module, parameters, images[row], targets[row])
            scale = min(1.0, how.clip / float(length(gradients)))
            sums = [total + scale * gradient for total, gradient in zip(sums, gradients, strict=True)]
        for one, total, speed in zip(parameters, sums, velocity, strict=True):
            noisy = total + 0.5 * how.clip * torch.randn(one.shape, generator=generator)
            speed.mul_(how.momentum).add_(noisy / (how.n * how.rate))
            one.data -= how.learning_rate * speed
    assert int(trail.taken) == taken
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(parameters, chosen.parameters, strict=True))
    assert torch.allclose(module(images), after(images), atol=1e-3)


def test_a_new_last_layer_starts_from_nothing_and_looks_at_each_image_alone():
    layer = NewHead(6, CLASSES)
    assert not layer(torch.randn(4, 6)).any()
