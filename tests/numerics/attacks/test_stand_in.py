import copy

import pytest
import timm
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from efficiency360.numerics.attacks import Spec, stand_in, sweep
from efficiency360.numerics.attacks.folded import Flat
from efficiency360.numerics.attacks.strided import Strided


def _ready(module):
    """With statistics that are not those of a new layer."""
    torch.manual_seed(1)
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(0.5, 2)
            part.bias.data.normal_(0, 0.2)
    return module.eval()


def _small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


@pytest.mark.parametrize("make", [_small, lambda: timm.create_model("tf_efficientnet_lite0", num_classes=5)])
def test_it_answers_the_same_without_batch_normalisation(make):
    module = _ready(make())
    before = copy.deepcopy(module.state_dict())
    images = torch.rand(3, 3, 32, 32)
    cheap = stand_in(module, images, lambda answer: answer)
    assert cheap is not None
    assert not any(isinstance(part, _BatchNorm) for part in cheap.modules())
    with torch.no_grad():
        assert torch.allclose(cheap(images), module(images), rtol=1e-3, atol=1e-4)
    assert not any(weight.requires_grad for weight in cheap.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


class Twice(nn.Module):
    """Uses what the convolution gives beside its normalisation, so that folding would be wrong."""

    def __init__(self):
        super().__init__()
        self.convolution, self.normalisation = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, images):
        hidden = self.convolution(images)
        return (hidden + self.normalisation(hidden)).mean((2, 3))


_SHAPES = [(4, 2, 1, 28), (3, 1, 1, 9), (3, 2, 1, 11), (5, 3, 2, 17), (1, 2, 0, 9)]


@pytest.mark.parametrize(("kernel", "stride", "padding", "size"), _SHAPES)
@pytest.mark.parametrize("kind", [nn.Conv2d, timm.layers.Conv2dSame])
def test_a_strided_convolution_has_the_gradient_that_torch_gives(kind, kernel, stride, padding, size):
    torch.manual_seed(0)
    layer = kind(3, 5, kernel, stride=stride, padding=padding)
    images = torch.randn(2, 3, size, size, requires_grad=True)
    up = torch.randn_like(layer(images))
    assert torch.allclose(Strided(layer)(images), layer(images), atol=1e-5)
    expected, got = (torch.autograd.grad((form(images) * up).sum(), images)[0] for form in (layer, Strided(layer)))
    assert torch.allclose(got, expected, atol=1e-5)


def test_the_gradients_of_a_stand_in_are_those_of_the_model():
    module = _ready(_small())
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    cheap = stand_in(module, images.detach(), lambda answer: answer)
    assert any(isinstance(part, Strided) for part in cheap.modules())
    expected, got = (torch.autograd.grad(form(images)[:, 0].sum(), images)[0] for form in (module, cheap))
    assert torch.allclose(got, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "module", [_ready(Twice()), nn.Flatten(), _small().train()], ids=["twice", "nothing", "trains"]
)
def test_where_folding_is_wrong_or_idle_there_is_none(module):
    assert stand_in(module, torch.rand(2, 3, 8, 8), lambda answer: answer) is None


def test_a_stand_in_that_is_wrong_proves_nothing(linear):
    model = linear()
    wrong = sweep(
        model.module,
        model.chunks(),
        [Spec("apgd-ce", {"steps": 5})],
        "Linf",
        [1e-5],
        stand_in=lambda x: -model.module(x),
    )
    assert wrong.survived.all()
    assert wrong.tallies[0].refused["not_adversarial"] > 0


def test_with_a_stand_in_the_same_images_fall(linear):
    model = linear()
    specs, eps = [Spec("apgd-t", {"steps": 30})], [float(model.distances("Linf").median())]
    plain = sweep(model.module, model.chunks(), specs, "Linf", eps)
    cheap = sweep(model.module, model.chunks(), specs, "Linf", eps, stand_in=lambda x: model.module(x.double().float()))
    assert (plain.survived == cheap.survived).all()


class Both(nn.Module):
    """Needs what a rectifier was given after it has been rectified."""

    def __init__(self):
        super().__init__()
        self.convolution, self.rectifier = nn.Conv2d(3, 4, 4, stride=4), nn.ReLU()

    def forward(self, images):
        hidden = self.convolution(images)
        return (self.rectifier(hidden) - hidden).mean((2, 3))


def test_a_rectifier_writes_over_its_input_only_where_nobody_else_reads_it():
    images = torch.rand(2, 3, 8, 8)
    cheap = stand_in(Both().eval(), images, lambda answer: answer)
    assert torch.allclose(cheap(images), cheap.module(images), atol=1e-6)
    assert not any(part.inplace for part in cheap.modules() if isinstance(part, nn.ReLU))
    plain = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)).eval()
    assert any(part.inplace for part in stand_in(plain, images, lambda a: a).modules() if isinstance(part, nn.ReLU))
    assert not plain[1].inplace


def test_a_stand_in_with_other_gradients_is_none():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    images = torch.rand(2, 3, 8, 8)
    assert stand_in(module, images, lambda answer: answer) is not None
    turned = lambda part, _grads_in, grads_out: (-grads_out[0],)  # noqa: E731, ARG005 - a hook
    module[0].register_full_backward_hook(turned)
    assert stand_in(module, images, lambda answer: answer) is None


def test_a_linear_layer_takes_a_flattened_image_as_it_lies_in_memory():
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 5, 6)).eval()
    images = torch.rand(2, 3, 8, 12, requires_grad=True)
    before = module[3].weight.clone()
    cheap = stand_in(module, images.detach(), lambda answer: answer)
    assert any(isinstance(part, Flat) for part in cheap.modules())
    assert torch.allclose(cheap(images), module(images), atol=1e-5)
    one, other = (torch.autograd.grad(form(images)[:, 2].sum(), images)[0] for form in (module, cheap))
    assert torch.allclose(one, other, atol=1e-6)
    assert torch.equal(module[3].weight, before)


def test_where_something_else_reads_the_flattened_image_there_is_none():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Flatten())
            self.head = nn.Linear(36, 5)

        def forward(self, images):
            flat = self.body(images)
            return self.head(flat) + flat[:, :5]

    assert stand_in(Twice().eval(), torch.rand(2, 3, 8, 8), lambda answer: answer) is None
