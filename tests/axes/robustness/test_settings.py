"""Settings as people write them, mistakes in them, and the shipped audits."""

from __future__ import annotations

import pytest

from efficiency360.axes import make_axis
from efficiency360.errors import InputError
from efficiency360.numerics.corruptions import CAMERA, NAMES
from efficiency360.spec import load_audit


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


@pytest.mark.parametrize("name", ["standard", "server", "release", "edge-camera"])
def test_the_shipped_audits_measure_robustness_and_their_rules_speak_of_what_is_measured(name):
    spec = load_audit(name)
    axis = make_axis("robustness", spec.axes["robustness"].settings)
    radii = {round(eps, 6) for eps in axis.eps} if axis.attacks else set()
    spoken = [one for one in (*spec.rules, *spec.scores) if one.measurement.startswith("robustness.")]
    assert spoken
    for one in spoken:
        assert one.params.get("eps") in {None, *radii}
        assert one.params.get("corruption") in {None, *axis.corruptions}
        assert one.params.get("severity") in {None, *axis.severities}
        assert radii or one.measurement != "robustness.adversarial_accuracy"


def test_the_camera_on_the_line_is_spoiled_as_such_cameras_are():
    axis = make_axis("robustness", load_audit("edge-camera").axes["robustness"].settings)
    assert set(CAMERA) <= set(axis.corruptions)
    assert not set(NAMES) & set(axis.corruptions)
    assert not axis.attacks


def test_a_quick_look_stays_quick():
    assert "robustness" not in load_audit("quick").axes


def test_a_rule_may_write_its_radius_as_people_do(tmp_path):
    lines = [
        "title = 'x'",
        "[axes.robustness]",
        "[[rules]]",
        "id = 'a'",
        "measurement = 'robustness.adversarial_accuracy'",
    ]
    path = tmp_path / "audit.toml"
    path.write_text("\n".join([*lines, "params = { eps = '4/255' }", "at_least = 0.1", "rationale = 'x'"]))
    assert load_audit(str(path)).rules[0].params == {"eps": 0.015686}
    path.write_text(path.read_text().replace("4/255", "four"))
    with pytest.raises(InputError, match="'four' is no radius"):
        load_audit(str(path))
