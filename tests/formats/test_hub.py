"""Hugging Face folders: the model is the one that was saved, and nothing in the folder but safetensors is opened."""

from __future__ import annotations

import json
import os
import resource

import pytest
import timm
import torch
from safetensors.torch import save_file

from efficiency360.errors import InputError
from efficiency360.subject.formats.hub_preprocess import hub_preprocess
from efficiency360.subject.request import SubjectOptions, request_subject

os.environ["HF_HUB_OFFLINE"] = "1"
transformers = pytest.importorskip("transformers")
TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture
def vit(tmp_path):
    """A small ViT, and a function that saves it."""
    config = transformers.ViTConfig(**TINY, image_size=16, patch_size=8, id2label={0: "cat", 1: "dog", 2: "owl"})
    net = transformers.ViTForImageClassification(config).eval()

    def saved(**options):
        folder = tmp_path / "vit"
        net.save_pretrained(folder, **options)
        transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
        return folder

    return net, saved


@pytest.fixture
def resnet(tmp_path):
    """A small timm network in a folder, as timm pushes it."""
    net = timm.create_model("test_resnet", num_classes=3).eval()
    folder = tmp_path / "resnet"
    folder.mkdir()
    save_file(net.state_dict(), folder / "model.safetensors")
    config = {
        "architecture": "test_resnet",
        "num_classes": 3,
        "label_names": ["cat", "dog", "owl"],
        "pretrained_cfg": {
            "input_size": [3, 96, 96],
            "crop_pct": 0.75,
            "interpolation": "bicubic",
            "mean": [0.1, 0.2, 0.3],
            "std": [0.4, 0.5, 0.6],
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    return net, folder, config


def changed(folder, **keys):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **keys}))
    return folder


@pytest.mark.parametrize("options", [{}, {"max_shard_size": "5KB"}])
def test_a_transformers_classifier_answers_as_it_was_saved(vit, load, options):
    net, saved = vit
    folder = saved(**options)
    subject, info = load(folder, trust_code=False)
    x = torch.rand(5, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(subject.logits(x), net((x - 0.5) / 0.5).logits, atol=1e-6)
    assert info.class_names == ("cat", "dog", "owl")
    assert info.record.kind == "huggingface_folder"
    assert subject.file_bytes > 4 * sum(weight.numel() for weight in net.parameters())


def test_a_timm_classifier_answers_as_it_was_saved_with_its_own_preprocessing(resnet, load):
    net, folder, _ = resnet
    subject, info = load(folder, trust_code=False)
    x = torch.rand(5, 3, 96, 96)
    with torch.inference_mode():
        assert torch.allclose(subject.logits(x), net(subject.normalised(x)), atol=1e-6)
    preprocess = subject.preprocess
    assert (preprocess.size, preprocess.resize, preprocess.interpolation) == ((96, 96), 128, "bicubic")
    assert (preprocess.mean, preprocess.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert info.class_names == ("cat", "dog", "owl")
    assert not info.record.caveats


def test_the_fingerprint_covers_settings_and_weights(resnet):
    _, folder, _ = resnet

    def asked():
        return request_subject(str(folder), SubjectOptions())

    first = asked()
    assert not first.runs_code
    assert {str(folder / "config.json"), str(folder / "model.safetensors")} < set(first.reads)
    (folder / "README.md").write_text("of no importance")
    assert asked().fingerprint == first.fingerprint
    changed(folder, num_features=7)
    assert asked().fingerprint != first.fingerprint


def test_code_that_a_folder_names_is_not_run(vit, load, tmp_path):
    net, saved = vit
    marker = tmp_path / "ran"
    folder = changed(saved(), auto_map={"AutoModelForImageClassification": "modeling.Evil"})
    (folder / "modeling.py").write_text(f"open({str(marker)!r}, 'w')")
    subject, info = load(folder)
    assert not marker.exists()
    assert "subject.remote_code" in {caveat.id for caveat in info.record.caveats}
    x = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(subject.logits(x), net((x - 0.5) / 0.5).logits, atol=1e-6)


def test_pickled_weights_in_a_folder_are_not_opened(resnet, load):
    net, folder, _ = resnet
    (folder / "model.safetensors").unlink()
    torch.save(net.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load(folder)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"model_args": {"checkpoint_path": "x.pt"}}, "model_args may not hold 'checkpoint_path'"),
        ({"model_args": {"pretrained": True}}, "model_args may not hold 'pretrained'"),
        ({"num_classes": 4}, "does not fit timm:test_resnet"),
        ({"architecture": "test_resnet_of_mine"}, "timm has no architecture 'test_resnet_of_mine'"),
    ],
)
def test_settings_of_a_timm_folder_that_cannot_be_are_refused(resnet, load, keys, says):
    _, folder, _ = resnet
    with pytest.raises(InputError) as caught:
        load(changed(folder, **keys))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"architectures": ["ViTModel"]},
        {"architectures": ["ViTForImageClassificationOfMine"]},
        {"model_type": "mine"},
        {"quantization_config": {"quant_method": "gptq"}},
        {"hidden_size": 32},
        {"num_hidden_layers": "many"},
    ],
)
def test_settings_of_a_transformers_folder_that_cannot_be_are_refused(vit, load, keys):
    _, saved = vit
    with pytest.raises(InputError) as caught:
        load(changed(saved(), **keys))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"image_size": 2**20}, "describes a far larger model than its weights are"),
        ({"intermediate_size": 2**40}, "describes a far larger model than its weights are"),
        ({"num_hidden_layers": 2**40, "intermediate_size": 2**16}, "describes a far larger model than its weights are"),
        ({"num_labels": 2**40, "id2label": None}, "num_labels is 1099511627776, more than any classifier has"),
    ],
)
def test_settings_of_a_far_larger_model_are_refused_before_it_takes_memory(vit, load, keys, says):
    _, saved = vit
    folder = saved()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=says):
        load(changed(folder, **keys))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KB


def test_settings_of_a_far_larger_timm_model_are_refused(resnet, load):
    _, folder, _ = resnet
    with pytest.raises(InputError, match="describes a far larger model than its weights are"):
        load(changed(folder, num_classes=2**40))


def test_a_classifier_with_a_teacher_beside_it_is_one(tmp_path, load):
    net = transformers.DeiTForImageClassificationWithTeacher(
        transformers.DeiTConfig(**TINY, image_size=16, patch_size=8, num_labels=3)
    ).eval()
    net.save_pretrained(tmp_path / "deit")
    subject, _ = load(tmp_path / "deit", input=(3, 16, 16))
    x = torch.rand(5, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(subject.logits(x), net(x).logits, atol=1e-6)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "weights.bin", "/etc/passwd", ""])
def test_an_index_names_only_safetensors_beside_it(vit, load, name):
    _, saved = vit
    folder = saved(max_shard_size="5KB")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(InputError) as caught:
        load(folder)
    assert str(caught.value).isprintable()


def test_an_architecture_is_not_needed_and_refused(resnet, load):
    with pytest.raises(InputError, match="leave --arch"):
        load(resnet[1], arch="timm:resnet18")


@pytest.mark.parametrize(
    ("settings", "means"),
    [
        (
            {"size": 256, "do_center_crop": True, "crop_size": 224, "resample": 3, "do_rescale": True},
            {"size": (224, 224), "resize": 256, "interpolation": "bicubic"},
        ),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 192}},
            {"size": (224, 192), "resize": 256},
        ),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, {"size": (224, 224), "resize": 256}),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, {"size": (384, 384), "resize": (384, 384)}),
        ({"size": {"height": 32, "width": 48}}, {"size": (32, 48), "resize": (32, 48)}),
        ({"size": 32, "do_resize": False}, {"size": (32, 32), "resize": None}),
        ({"size": 32, "image_mean": [0.5], "image_std": [0.25]}, {"mean": (0.5,), "std": (0.25,)}),
        ({"size": 32, "do_normalize": False, "image_mean": [0.5], "image_std": [0.25]}, {"mean": (0,), "std": (1,)}),
        (
            {"size": 32, "rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
            {"mean": (0.5,), "std": (0.5,)},
        ),
    ],
)
def test_settings_of_processors_mean_what_transformers_does(settings, means):
    found = hub_preprocess(settings, {"num_channels": 3})
    assert {key: pytest.approx(found[key]) if key in {"mean", "std"} else found[key] for key in means} == means
