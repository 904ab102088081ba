"""Settings as people write them, mistakes in them, and models that attacks cannot use."""

from __future__ import annotations

import numpy as np
import pytest
from format_nets import Conv, trained
from saving import SIDE, onnx, quietly

import efficiency360
from efficiency360.axes import make_axis
from efficiency360.dataset import from_arrays
from efficiency360.errors import InputError


@pytest.mark.parametrize(("text", "value"), [("4/255", 4 / 255), (" 8 / 255 ", 8 / 255), (0.3, 0.3)])
def test_a_radius_may_be_written_as_a_fraction(text, value):
    assert make_axis("robustness", {"eps": [text]}).eps == (pytest.approx(value),)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"eps": [-0.1]}, "eps"),
        ({"eps": [1.5]}, "cannot change by more than 1"),
        ({"eps": ["256/255"]}, "cannot change by more than 1"),
        ({"eps": ["4/0"]}, "is no radius"),
        ({"eps": ["four"]}, "is no radius"),
        ({"eps": [float("nan")]}, "eps"),
        ({"eps": [float("inf")], "norm": "L2"}, "eps"),
        ({"attacks": ["autoatack"]}, "did you mean 'autoattack'?"),
        ({"attacks": ["DeepFol"]}, "did you mean 'DeepFool'?"),
        ({"corruptions": ["fogg"]}, "there is no corruption named 'fogg'"),
        ({"severities": [6]}, "severities"),
        ({"norm": "L1"}, "norm"),
        ({"images": 0}, "images"),
        ({"attacks": [], "corruptions": []}, "there is nothing to measure"),
    ],
)
def test_a_mistake_is_one_line(settings, said):
    with pytest.raises(InputError) as caught:
        make_axis("robustness", settings)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


class TestOnnx:
    """A graph gives no gradients: corruptions are measured, attacks from outside too, and the rest says why not."""

    @pytest.fixture(scope="class")
    def data(self):
        rng = np.random.default_rng(0)
        return from_arrays(rng.integers(0, 256, (21, SIDE, SIDE)).astype(np.uint8), rng.integers(0, 2, 21))

    @pytest.fixture(scope="class")
    def audited(self, data, tmp_path_factory):
        folder = tmp_path_factory.mktemp("onnx")
        with quietly():
            onnx(trained(Conv()), folder / "conv.onnx")

        def audit(**settings):
            options = {"axes": ["accuracy", "robustness"], "settings": {"robustness": settings}, "threads": 1}
            return efficiency360.audit(folder / "conv.onnx", data, out=folder / "out", trust_code=True, **options)

        return audit

    @pytest.fixture(scope="class")
    def record(self, audited):
        settings = {"corruptions": ["fog"], "severities": [3], "attacks": ["quick"]}
        return audited(**settings).axis("robustness")

    def test_attacks_that_need_gradients_are_left_out_with_a_caveat(self, record):
        assert record.status == "measured", record.reason
        assert "blackbox" in next(one for one in record.caveats if one.id == "robustness.no_gradients").text
        assert not [one for one in record.measurements if one.name == "robustness.adversarial_accuracy"]

    def test_corruptions_are_measured_all_the_same(self, record):
        assert [one.n for one in record.measurements if one.name == "robustness.mean_corruption_accuracy"] == [21]

    def test_with_nothing_else_to_measure_the_axis_fails_with_the_way_on(self, audited):
        record = audited(corruptions=[], attacks=["quick"]).axis("robustness")
        assert record.status == "failed"
        assert 'robustness.attacks = ["blackbox"]' in record.reason

    def test_an_attack_from_outside_needs_none(self, audited):
        record = audited(corruptions=[], attacks=["blackbox"], eps=[0.1], images=4).axis("robustness")
        assert record.status == "measured", record.reason
        assert {one.severity for one in record.caveats} <= {"info"}
