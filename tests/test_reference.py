"""Real models on real data give the values that independent tools gave."""

from __future__ import annotations

import pytest

import efficiency360

HALF_A_POINT = 0.004


def value(card, name, **params):
    found = [
        measurement.value
        for axis in card.axes
        for measurement in axis.measurements
        if measurement.name == name and measurement.params == params
    ]
    assert len(found) == 1, name
    return found[0]


@pytest.mark.slow
def test_lite0_on_imagenet(shared, lite0):
    card = efficiency360.audit(
        lite0, shared / "data/imagenet-500", arch="timm:tf_efficientnet_lite0", remap="order", threads=2
    )
    assert value(card, "accuracy.top1") == pytest.approx(0.870, abs=HALF_A_POINT)
    assert value(card, "accuracy.top5") == pytest.approx(0.972, abs=HALF_A_POINT)
    assert value(card, "cost.params") == pytest.approx(4.65e6, rel=0.005)
    assert value(card, "cost.macs") == pytest.approx(0.40e9, abs=0.006e9)
    assert value(card, "cost.op_coverage") == 1
    assert card.verdict.outcome == "pass"


@pytest.mark.parametrize(("file", "accuracy"), [("mnist_pgd_madry.pth", 0.9855), ("mnist_fgsm.pth", 0.9785)])
def test_the_mnist_networks_saved_from_a_gpu_in_the_old_format(shared, file, accuracy):
    card = efficiency360.audit(
        shared / "models" / file,
        shared / "data/mnist-2000/mnist.npz",
        arch=f"{shared}/models/factories.py:mnist_cnn",
        threads=1,
    )
    assert value(card, "accuracy.top1") == accuracy


def test_the_face_gender_network_with_a_manifest(shared, tmp_path):
    manifest = tmp_path / "gender.toml"
    manifest.write_text(
        '[preprocess]\nsize = 32\nresize = [32, 32]\ninterpolation = "bilinear"\n[labels]\nnames = ["female", "male"]\n'
    )
    card = efficiency360.audit(
        shared / "models/gender_v1_state.pt",
        shared / "data/faces-2000",
        arch=f"{shared}/models/factories.py:gender_net",
        manifest=manifest,
        threads=1,
    )
    assert value(card, "accuracy.top1") == pytest.approx(0.919, abs=0.0005)
    assert card.dataset.groups == ("race", "age_group", "age")
