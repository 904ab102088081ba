"""Further data sets of an axis: opened before anything is observed, seen by the axis, part of what evidence belongs to.

The axis here is uncertainty with its foreign images (`ood_data`).
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import efficiency360
from efficiency360.axes.cost import Cost
from efficiency360.dataset import from_arrays
from efficiency360.engine import api, pipe
from efficiency360.engine.job import Quiet
from efficiency360.errors import InputError
from efficiency360.spec import load_audit

OPTIONS = {"audit": "release", "axes": ["accuracy", "uncertainty"], "threads": 1}


def images(seed, n=40):
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8), dtype=np.uint8)


def folder(path, arrays, **others):
    """A flat folder of images, and files of other content by name."""
    path.mkdir(parents=True)
    for index, array in enumerate(arrays):
        Image.fromarray(array).save(path / f"{index:03}.png")
    for name, content in others.items():
        (path / f"{name}.png").write_bytes(content)
    return path


@pytest.fixture
def data():
    """Forty images in two classes."""
    return from_arrays(images(0), np.arange(40) % 2, name="known")


@pytest.fixture
def net(tmp_path):
    """A factory with a fixed linear model, and one that says how many images it got."""
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Loud(nn.Sequential):\n"
        "    def forward(self, x):\n"
        "        print('forward', len(x))\n"
        "        return super().forward(x)\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return Loud(nn.Flatten(), nn.Linear(64, 3))\n"
    )
    return f"{path}:net"


def module():
    """The same model, in memory."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def audit(subject, data, ood_data, *, out=None, **settings):
    wanted = {"uncertainty": {"ood_data": str(ood_data), "ood": ["patches"], **settings}}
    shape = {"input": (1, 8, 8)} if isinstance(subject, str) else {}
    return efficiency360.audit(subject, data, settings=wanted, out=out, **shape, **OPTIONS)


def separation(card, against):
    axis = card.axis("uncertainty")
    assert axis.status == "measured", axis.reason
    found = [m for m in axis.measurements if m.name == "uncertainty.ood_auroc"]
    return next(m for m in found if m.params["against"] == against)


def caveats(card):
    return {caveat.id: caveat.text for caveat in card.axis("uncertainty").caveats}


def test_worker_and_process_see_the_same_foreign_images(data, net, tmp_path):
    textures = folder(tmp_path / "textures", images(1, 30))
    apart, here = (audit(subject, data, textures) for subject in (net, module()))
    assert separation(apart, "textures").n == 70
    assert 0 <= separation(apart, "textures").value <= 1
    assert separation(apart, "patches").n == 80
    assert apart.axis("uncertainty").measurements == here.axis("uncertainty").measurements


def test_the_number_is_that_of_the_model_on_those_images(data, tmp_path):
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - slow to import

    foreign = images(1, 30)
    np.savez(tmp_path / "textures.npz", images=foreign, labels=np.arange(30))
    card = audit(module(), data, tmp_path / "textures.npz")
    with torch.inference_mode():
        both = torch.from_numpy(np.concatenate([data.arrays, foreign])[:, None] / 255).float()
        sure = module()(both).softmax(dim=1).max(dim=1).values.numpy()
    assert separation(card, "textures").value == pytest.approx(roc_auc_score(np.arange(70) < 40, sure))


def test_no_more_foreign_images_than_asked_for_are_seen(data, net, tmp_path):
    textures = folder(tmp_path / "textures", images(1, 30))
    card = audit(net, data, textures, ood_images=12, batch_size=8, out=tmp_path / "out")
    assert separation(card, "textures").n == 52
    forwards = [line for line in (tmp_path / "out/run.log").read_text().splitlines() if line.startswith("forward")]
    asked_again = ["forward 2"] * 3 + ["forward 1", "forward 2"]
    labelled = ["forward 32", "forward 8", "forward 32", "forward 2"]
    assert forwards == ["forward 2", *asked_again, *labelled, *["forward 8", "forward 4"] * 2]


class Listener(Quiet):
    """Remembers the progress of the axis that ran last."""

    def axis(self, _axis_id, **_how):
        self.steps = []

    def progress(self, done, total):
        self.steps.append((done, total))


def test_progress_counts_all_foreign_images(data, tmp_path):
    listener, textures = Listener(), folder(tmp_path / "textures", images(1, 30))
    wanted = {"uncertainty": {"ood_data": str(textures), "ood_images": 35}}
    efficiency360.audit(module(), data, settings=wanted, reporter=listener, **OPTIONS)
    assert listener.steps == [(32, 65), (35, 65), (65, 65)]


@pytest.mark.parametrize("apart", [True, False])
def test_images_that_the_data_hold_too_are_counted(data, net, tmp_path, apart):
    mixed = folder(tmp_path / "mixed", [*data.arrays[:7], *images(1, 13)])
    card = audit(net if apart else module(), data, mixed, batch_size=3)
    assert "7 of 20 foreign images (mixed) look exactly like" in caveats(card)["uncertainty.ood_known"]


def test_images_that_are_foreign_draw_no_such_caveat(data, tmp_path):
    card = audit(module(), data, folder(tmp_path / "textures", images(1, 20)))
    assert "uncertainty.ood_known" not in caveats(card)


def test_unreadable_foreign_images_are_left_out_or_fail_the_axis_alone(data, net, tmp_path):
    broken = folder(tmp_path / "broken", images(1, 20), torn=b"\x89PNG", empty=b"")
    tolerant = audit(net, data, broken, max_unreadable=0.1)
    assert separation(tolerant, "broken").n == 60
    assert "2 of 22 images of ood_data" in caveats(tolerant)["data.unreadable"]
    strict = audit(net, data, broken)
    assert strict.axis("uncertainty").status == "failed"
    assert "2 of 22 images of ood_data" in strict.axis("uncertainty").reason
    assert strict.axis("accuracy").status == "measured"


def test_foreign_images_of_another_size_are_brought_to_the_models(data, net, tmp_path):
    large = from_arrays(np.random.default_rng(1).random((9, 20, 30, 3), dtype=np.float32)).arrays
    np.savez(tmp_path / "large.npz", images=large)
    assert separation(audit(net, data, tmp_path / "large.npz"), "large").n == 49


@pytest.mark.parametrize("content", ["nothing", "empty folder", "text", "no images", "zero images", "wrong range"])
def test_data_that_cannot_be_opened_stop_the_audit_before_it_starts(data, net, tmp_path, content):
    path = tmp_path / "textures.npz"
    if content == "empty folder":
        path.mkdir()
    elif content == "text":
        path.write_text("not an archive")
    elif content != "nothing":
        arrays = {
            "no images": {"x": [1]},
            "zero images": {"images": images(0, 0)},
            "wrong range": {"images": [[[7.0]]]},
        }
        np.savez(path, **arrays[content])
    with pytest.raises(InputError, match=r"^uncertainty\.ood_data: .*textures"):
        audit(net, data, path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_too_long_for_a_path_is_bad_input(data):
    with pytest.raises(InputError, match=r"^uncertainty\.ood_data: "):
        audit(module(), data, "x" * 5000)


def test_axes_that_do_not_run_have_nothing_opened(data):
    settings = {"uncertainty": {"ood_data": "/no/such/place"}}
    card = efficiency360.audit(module(), data, settings=settings, **{**OPTIONS, "axes": ["accuracy"]})
    assert card.axis("accuracy").status == "measured"


def test_an_axis_whose_evidence_another_one_uses_has_its_data_opened(tmp_path, monkeypatch):
    textures = folder(tmp_path / "textures", images(1, 3))
    spec = load_audit("release").with_settings({"uncertainty": {"ood_data": str(textures)}})
    assert api._more_data(spec, frozenset({"cost"}), 0) == {}
    for how in ("uses", "may_use"):
        with monkeypatch.context() as patched:
            patched.setattr(Cost, how, ("uncertainty",))
            opened = api._more_data(spec, frozenset({"cost"}), 0)
        assert [len(found) for found in opened["uncertainty"].values()] == [3]


def test_the_path_stands_in_the_scorecard_as_it_was_given(data, net, tmp_path, monkeypatch):
    folder(tmp_path / "here/textures", images(1, 5))
    monkeypatch.chdir(tmp_path / "here")
    card = audit(net, data, "./textures/../textures/", out=tmp_path / "out")
    written = json.loads((tmp_path / "out/scorecard.json").read_text())
    settings = next(axis["settings"] for axis in written["axes"] if axis["id"] == "uncertainty")
    assert settings["ood_data"] == "./textures/../textures/"
    assert "uncertainty.ood_data=./textures/../textures/" in card.command
    assert separation(card, "textures").n == 45


def test_evidence_belongs_to_the_content_of_the_foreign_images(data, tmp_path):
    textures, weights, factory = folder(tmp_path / "textures", images(1, 5)), tmp_path / "net.pt", tmp_path / "plain.py"
    factory.write_text("from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))\n")
    torch.save(module().state_dict(), weights)
    evidence = tmp_path / "out/evidence/uncertainty.npz"

    options = {"arch": f"{factory}:net", "input": (1, 8, 8), "settings": {"uncertainty": {"ood_data": str(textures)}}}

    def stamp():
        efficiency360.audit(weights, data, out=tmp_path / "out", resume=True, **options, **OPTIONS)
        return evidence.stat().st_mtime_ns

    first = stamp()
    assert stamp() == first
    Image.fromarray(images(2, 1)[0]).save(textures / "000.png")
    assert stamp() > first


def test_names_of_foreign_files_stay_out_of_the_worker(data, net, tmp_path, monkeypatch):
    sent, send = [], pipe.send

    def spy(write, message):
        send(lambda data: (sent.append(bytes(data)), write(data)), message)

    monkeypatch.setattr(pipe, "send", spy)
    torn = b"these bytes are seen"
    textures = folder(tmp_path / "textures", images(1, 3), secret_name=torn)
    audit(net, data, textures, max_unreadable=0.5)
    wire = b"".join(sent)
    assert torn in wire
    assert b"secret_name" not in wire
