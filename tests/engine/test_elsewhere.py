"""Measure there, judge here: evidence of another run is taken over, or refused by name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

import efficiency360
from efficiency360.errors import InputError
from efficiency360.zoo import create

SETTINGS = {"speed": {"seconds": 0.2, "batches": [1], "cold_starts": 0}}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "net.pt"
    torch.manual_seed(0)
    torch.save(create("digits_transformer").state_dict(), path)
    return path


@pytest.fixture(scope="module")
def there(model):
    folder = model.parent / "there"
    efficiency360.audit(
        model,
        arch="zoo:digits_transformer",
        input=(1, 32, 32),
        axes=["cost", "speed"],
        settings=SETTINGS,
        threads=1,
        out=folder,
    )
    return folder


def here(model, there, **options):
    defaults = {"axes": ["cost", "speed", "accuracy"], "settings": SETTINGS, "limit": 20, "threads": 1}
    return efficiency360.audit(
        model, "digits", arch="zoo:digits_transformer", input=(1, 32, 32), evidence=there, **{**defaults, **options}
    )


def test_the_numbers_come_from_there_with_the_machine_named_in_each(model, there, tmp_path):
    card = here(model, there, out=tmp_path / "here")
    original = efficiency360.Scorecard.model_validate_json((there / "scorecard.json").read_bytes())
    for axis_id in ("cost", "speed"):
        taken, first = card.axis(axis_id), original.axis(axis_id)
        assert [(m.name, m.value, m.interval) for m in taken.measurements] == [
            (m.name, m.value, m.interval) for m in first.measurements
        ]
        host = original.environment.host[:8]
        assert all(host in m.params["host"] for m in taken.measurements)
        assert taken.environment == original.environment
        assert taken.artifacts[0] == first.artifacts[0]
        assert (tmp_path / f"here/evidence/{axis_id}.npz").read_bytes() == (
            there / f"evidence/{axis_id}.npz"
        ).read_bytes()
        assert f"{axis_id}.elsewhere" in {caveat.id for caveat in taken.caveats}
    assert card.axis("accuracy").environment is None
    assert "--with" in card.command


def changed(there, tmp_path, change):
    folder = tmp_path / "changed"
    shutil.copytree(there, folder)
    card = json.loads((folder / "scorecard.json").read_text())
    change(folder, card)
    (folder / "scorecard.json").write_text(json.dumps(card))
    return folder


def other_model(_, card):
    card["subject"]["fingerprint"] = "0" * 64


def other_version(_, card):
    card["axes"][1]["version"] = 99


def altered(folder, _):
    path = folder / "evidence/speed.npz"
    path.write_bytes(path.read_bytes() + b"x")


def gone(folder, _):
    (folder / "evidence/speed.npz").unlink()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (other_model, "another model: its fingerprint is 0000"),
        (other_version, "speed is version 99 there and 1 here"),
        (altered, "is not the file that its scorecard names"),
        (gone, "No such file or directory; bring the whole folder"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(model, there, tmp_path, change, complaint):
    with pytest.raises(InputError, match=complaint):
        here(model, changed(there, tmp_path, change))


def test_other_settings_are_refused(model, there):
    with pytest.raises(InputError, match=r"this audit asks for \{\}; measure there with the same --audit"):
        here(model, there, settings={})


def test_labelled_axes_are_taken_over_only_with_the_same_images(model, tmp_path):
    only = {"axes": ["accuracy"], "settings": {}}
    first = here(model, None, **only, out=tmp_path / "first")
    again = here(model, tmp_path / "first", **only)
    assert [m.value for m in again.axis("accuracy").measurements] == [
        m.value for m in first.axis("accuracy").measurements
    ]
    with pytest.raises(InputError, match="accuracy was measured there on other data, or with another --seed"):
        here(model, tmp_path / "first", **only, limit=21)


def test_a_folder_without_a_scorecard_and_the_folder_of_the_audit_itself(model, there, tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        here(model, tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"scorecard\.json"):
        here(model, tmp_path)
    with pytest.raises(InputError, match="are the same folder"):
        here(model, there, out=there)
    assert (there / "scorecard.json").exists()


def test_an_axis_that_failed_there_stays_failed_here(model, there, tmp_path):
    def fail(_, card):
        card["axes"][1] = {"id": "speed", "version": 1, "status": "failed", "reason": "no time"}

    axis = here(model, changed(there, tmp_path, fail)).axis("speed")
    assert (axis.status, axis.reason) == ("failed", "no time")
    assert axis.environment is not None


def test_evidence_that_is_kept_holds_no_objects(there):
    with np.load(there / "evidence/speed.npz", allow_pickle=False) as kept:
        assert all(kept[name].dtype.kind in "biufU" for name in kept.files)
