"""Loading: architectures grow the head, the stem and the size that the weights or the user ask for."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from efficiency360.errors import InputError
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def load(subject, **options):
    return load_subject(request_subject(str(subject), SubjectOptions(**options)))


def test_a_fine_tuned_head_is_recognised_for_timm_and_torchvision(tmp_path):
    networks = {
        "timm:resnet18": timm.create_model("resnet18", num_classes=7),
        "torchvision:mobilenet_v3_small": torchvision.models.mobilenet_v3_small(num_classes=7),
    }
    for arch, network in networks.items():
        torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "weights.pt")
        subject, info = load(tmp_path / "weights.pt", arch=arch)
        assert info.num_classes == 7
        images = torch.rand(2, *subject.input_shape)
        with torch.inference_mode():
            assert torch.equal(subject.logits(images), network.eval()(subject.normalised(images)))


def test_a_stem_for_grey_images_is_recognised(tmp_path):
    torch.save(timm.create_model("resnet18", in_chans=1, num_classes=3).state_dict(), tmp_path / "grey.pt")
    subject, info = load(tmp_path / "grey.pt", arch="timm:resnet18")
    assert subject.input_shape[0] == 1
    assert info.num_classes == 3


def test_a_vision_transformer_of_fixed_size_is_built_for_the_size_asked_for(tmp_path):
    network = timm.create_model("vit_tiny_patch16_224", img_size=96)
    torch.save(network.state_dict(), tmp_path / "vit.pt")
    subject, _ = load(tmp_path / "vit.pt", arch="timm:vit_tiny_patch16_224", input=(3, 96, 96))
    assert subject.input_shape == (3, 96, 96)
    with pytest.raises(InputError, match="pos_embed"):
        load(tmp_path / "vit.pt", arch="timm:vit_tiny_patch16_224")


def test_timms_own_preprocessing_is_the_default():
    subject, info = load("timm:tf_efficientnet_lite0")
    assert subject.preprocess.resize == 256
    assert subject.preprocess.interpolation == "bicubic"
    assert subject.preprocess.mean == (0.5, 0.5, 0.5)
    assert info.class_names[0] == "n01440764"


def test_random_weights_are_those_of_the_seed_and_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    first, _ = load("timm:test_vit")
    second, _ = load("timm:test_vit")
    assert torch.equal(torch.get_rng_state(), state)
    for one, other in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_module_is_copied_and_put_into_evaluation():
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 2))
    request = request_subject("timm:resnet18", SubjectOptions(input=(3, 2, 2)))
    subject, info = load_subject(request, module)
    assert subject.module is not module
    assert not subject.module.training
    assert module.training
    assert info.num_classes == 2


LAZY = """
from torch import nn

def make():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
"""


def test_lazy_layers_take_their_shapes_from_a_first_pass(tmp_path):
    (tmp_path / "lazy.py").write_text(LAZY)
    first, again = (load(f"{tmp_path / 'lazy.py'}:make", input=(1, 8, 8)) for _ in range(2))
    assert first[1].num_classes == 2
    assert first[0].weights.params == 4 * 9 + 4 + 8 + 4 * 36 * 2 + 2
    assert torch.equal(first[0].module[3].weight, again[0].module[3].weight)


@pytest.mark.parametrize("with_weights", [False, True])
def test_code_reached_by_a_link_may_be_read_where_it_really_lies(tmp_path, with_weights):
    real, links = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    links.mkdir()
    (real / "net.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(4, 2))\n"
    )
    (links / "net.py").symlink_to(real / "net.py")
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).state_dict(), tmp_path / "w.pt")
    factory = f"{links / 'net.py'}:net"
    request = (
        request_subject(str(tmp_path / "w.pt"), SubjectOptions(arch=factory))
        if with_weights
        else request_subject(factory, SubjectOptions())
    )
    assert str(real) in request.reads
    assert str(links) not in request.reads
