"""Fairness from the command line to the verdict: real faces, planted groups, columns that are not there."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import efficiency360
from efficiency360.dataset import from_arrays, open_dataset
from efficiency360.errors import InputError

MANIFEST = (
    '[preprocess]\nsize = 32\nresize = [32, 32]\ninterpolation = "bilinear"\n[labels]\nnames = ["female", "male"]\n'
)
AUDIT = """
title = "Faces"
[axes.accuracy]
[axes.fairness]
[[rules]]
id = "all-alike"
measurement = "fairness.accuracy_gap"
at_most = 0.1
severity = "block"
rationale = "A difference of ten points is one that people notice."
"""
BY_RACE = {"Asian": 0.8551, "Black": 0.9482, "Indian": 0.9364, "Other": 0.9257, "White": 0.9186}
BY_AGE = {"0-9": 0.6743, "10-19": 0.8702, "20-39": 0.9713, "40-59": 0.9683, "60+": 0.9148}


def e360(*words):
    return subprocess.run(
        [sys.executable, "-m", "efficiency360", *map(str, words)], capture_output=True, text=True, check=False
    )


def numbers(card):
    axis = next(axis for axis in card["axes"] if axis["id"] == "fairness")
    assert axis["status"] == "measured", axis["reason"]
    return {(m["name"], *sorted(m["params"].values())): m["value"] for m in axis["measurements"]}


@pytest.fixture
def digits():
    """The digits, with a column that halves them, one that is all alike, and one that nobody shares."""
    data = open_dataset("digits")
    columns = {"half": ("a", "b") * (len(data) // 2), "same": ("x",) * len(data), "own": data.files}
    return type(data)(
        name=data.name, kind=data.kind, files=data.files, labels=data.labels, arrays=data.arrays, columns=columns
    )


def test_real_faces_give_the_reference_values_and_the_verdict_names_the_children(shared, tmp_path):
    (tmp_path / "gender.toml").write_text(MANIFEST)
    (tmp_path / "faces.toml").write_text(AUDIT)
    done = e360(
        "audit", shared / "models/gender_v1_state.pt", "--data", shared / "data/faces-2000",
        "--group", "race,age_group",
        "--arch", f"{shared}/models/factories.py:gender_net", "--manifest", tmp_path / "gender.toml", "--threads", 1,
        "--audit", tmp_path / "faces.toml", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    card = json.loads((tmp_path / "out/scorecard.json").read_text())
    found = numbers(card)
    for attribute, expected in (("race", BY_RACE), ("age_group", BY_AGE)):
        for group, accuracy in expected.items():
            name = ("fairness.group_accuracy", *sorted((attribute, group)))
            assert found[name] == pytest.approx(accuracy, abs=0.0005)
    assert found["fairness.demographic_parity_difference", "race"] == pytest.approx(0.20639, abs=0.0005)
    assert found["fairness.equalized_odds_difference", "race"] == pytest.approx(0.20633, abs=0.0005)
    assert found["fairness.demographic_parity_difference", "age_group"] == pytest.approx(0.36900, abs=0.0005)
    assert found["fairness.equalized_odds_difference", "age_group"] == pytest.approx(0.40443, abs=0.0005)
    assert card["verdict"]["outcome"] == "fail"
    assert "{attribute=age_group} is 29.7 points (95 % interval " in card["verdict"]["reasons"][0]
    assert "worst 0-9 with 67.4 % (61.5 % to 72.8 %, 261 images)" in card["verdict"]["reasons"][0]
    report = (tmp_path / "out/report.html").read_text()
    assert "Accuracy by race x age_group" in report
    again = e360("gate", tmp_path / "out")
    assert again.returncode == 1, again.stderr
    lenient = AUDIT.replace("at_most = 0.1", "at_most = 0.9")
    (tmp_path / "faces.toml").write_text(lenient)
    assert e360("gate", tmp_path / "out").returncode == 0, "the audit file leaves to the command which groups there are"
    (tmp_path / "faces.toml").write_text(lenient.replace("[axes.fairness]", '[axes.fairness]\ngroups = ["race"]'))
    other = e360("gate", tmp_path / "out")
    assert other.returncode == 3
    assert "and not ('race',)" in " ".join(other.stdout.split())


def test_three_tiles_of_an_exposure_are_not_judged(shared, tmp_path):
    tiles = open_dataset(shared / "data/tiles")
    exposure = np.array(tiles.columns["exposure"])
    chosen = [row for name in ("exp0", "exp1", "exp2") for row in np.flatnonzero(exposure == name)[:60]]
    card = efficiency360.audit(
        "torchvision:squeezenet1_1", tiles.take(np.array(chosen)), axes=["fairness"], groups=["exposure"], threads=1,
        input=(3, 64, 64), manifest=_tiles_manifest(tmp_path),
    )  # fmt: skip
    axis = card.axis("fairness")
    assert axis.status == "measured", axis.reason
    small = next(caveat.text for caveat in axis.caveats if caveat.id == "fairness.small_group")
    assert small == "exposure: shown, not judged, because they have fewer than 30 images: exp0 (3)."
    assert {m.params["group"] for m in axis.measurements if "group" in m.params} == {"exp1", "exp2"}


def _tiles_manifest(tmp_path):
    path = tmp_path / "tiles.toml"
    names = ["ok", "defective", *(f"other {n}" for n in range(998))]
    path.write_text(f"[preprocess]\nsize = 64\nresize = [64, 64]\n[labels]\nnames = {json.dumps(names)}\n")
    return path


def test_naming_groups_adds_the_axis_to_an_audit_without_it(digits):
    card = efficiency360.audit("zoo:digits_transformer", digits, audit="quick", groups="half", threads=1)
    axis = card.axis("fairness")
    assert axis.status == "measured"
    assert {m.params["attribute"] for m in axis.measurements} == {"half"}
    assert "--group half" in card.command


def test_without_groups_the_digits_are_compared_by_what_can_be_measured_of_them():
    card = efficiency360.audit("zoo:digits_transformer", "digits", axes=["fairness"], threads=1)
    axis = card.axis("fairness")
    assert axis.status == "measured", axis.reason
    compared = {m.params["attribute"] for m in axis.measurements}
    assert {"image brightness", "image contrast", "image stroke weight", "image slant"} <= compared
    assert "image aspect ratio" not in compared


def test_images_of_different_shape_are_compared_by_it(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("0", "1"):
        (tmp_path / label).mkdir()
        for n in range(40):
            pixels = rng.integers(0, 256, (16, 16 + 16 * (n % 2), 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{n}.png")
    (tmp_path / "1/broken.png").write_bytes(b"no image")
    card = efficiency360.audit(
        "torchvision:squeezenet1_1", tmp_path, axes=["fairness"], threads=1, input=(3, 32, 32),
        settings={"accuracy": {"max_unreadable": 0.1}}, audit="quick",
    )  # fmt: skip
    axis = card.axis("fairness")
    assert axis.status == "measured", axis.reason
    found = next(s for s in axis.series if s.name == "fairness.groups").columns
    sizes = [n for name, n in zip(found["attribute"], found["n"], strict=True) if name == "image aspect ratio"]
    assert sizes == [40, 40]


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("hafl", "fairness: the data has no column 'hafl' to group by; did you mean 'half'"),
        ("same", "fairness: the column 'same' has one value only, 'x'"),
        ("own", "different values for 548 images"),
        (" , ", "--group names no column"),
    ],
)
def test_columns_that_make_no_groups_are_refused_before_anything_is_loaded(digits, groups, said):
    with pytest.raises(InputError, match=said):
        efficiency360.audit("zoo:digits_transformer", digits, groups=groups)


def test_a_positive_class_that_is_not_there_is_refused_before_anything_is_measured(digits, tmp_path):
    with pytest.raises(InputError, match="fairness: positive: the model has no class 'sevn'; known: 0, 1, 2"):
        efficiency360.audit(
            "zoo:digits_transformer", digits, groups="half", settings={"fairness": {"positive": "sevn"}}, out=tmp_path,
        )  # fmt: skip
    assert not (tmp_path / "scorecard.json").exists()
    assert not list(tmp_path.glob("evidence/accuracy*"))


def test_edges_of_a_column_that_is_not_compared_are_refused(digits):
    with pytest.raises(InputError, match="fairness: edges: 'haf' is not among the groups; did you mean 'half'"):
        efficiency360.audit(
            "zoo:digits_transformer", digits, groups="half", settings={"fairness": {"edges": {"haf": [1]}}}
        )


def test_groups_beside_axes_that_leave_fairness_out_are_refused(digits):
    with pytest.raises(InputError, match="--axes leaves out"):
        efficiency360.audit("zoo:digits_transformer", digits, groups="half", axes=["accuracy"])


def test_data_without_labels_skip_the_axis_with_the_reason():
    data = from_arrays(np.zeros((40, 8, 8), np.uint8))
    card = efficiency360.audit("zoo:digits_transformer", data, axes=["fairness"], threads=1)
    assert (card.axis("fairness").status, card.axis("fairness").reason) == ("skipped", "the data has no labels")


def test_an_unknown_column_on_the_command_line_is_one_line_and_exit_code_2(tmp_path):
    done = e360("audit", "zoo:digits_transformer", "--data", "digits", "--group", "race", "--out", tmp_path)
    assert done.returncode == 2
    assert "the data has no column 'race' to group by" in done.stderr
    assert "Traceback" not in done.stderr
