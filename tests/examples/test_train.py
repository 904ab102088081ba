"""The training recipe: what it writes, going on after a stop, and what it says to bad input."""

from __future__ import annotations

import csv
import errno
import importlib
import os
import tomllib

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.models import get_pretrained_cfg

from efficiency360 import zoo
from efficiency360.dataset import open_dataset
from efficiency360.dataset.stream import ImageStream
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

SPEC = (
    "size = 16\nunit = 2\n[stem]\nkernel = 4\npadding = 0\n"
    "[[stages]]\ndepth = 1\nwidth = 8\nheads = 2\n[[stages]]\ndepth = 1\nwidth = 12\nheads = 2\npool = true\n"
)


@pytest.fixture
def train(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "examples"))
    return importlib.import_module("train")


@pytest.fixture
def parts(tmp_path):
    """24 images of upright and 24 of lying stripes."""
    rng = np.random.default_rng(0)
    stripes = np.tile([40, 210], 8)
    for at in range(48):
        name = ("lying", "upright")[at % 2]
        plane = np.broadcast_to(
            stripes.repeat(2)[:16, None] if name == "lying" else stripes.repeat(2)[None, :16], (16, 16)
        )
        path = tmp_path / "parts" / name / f"{at}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((plane + rng.normal(0, 20, (16, 16))).clip(0, 255).astype(np.uint8)).save(path)
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path / "parts"


@pytest.fixture
def run(train, parts, tmp_path, capsys):
    def start(*options, out="out.safetensors", data=parts):
        given = ["--model", f"zoo:{tmp_path}/spec.toml", "--data", data, "--out", tmp_path / out, "--threads", "1"]
        wanted = ["--epochs", "3", "--batch", "12", "--channels", "1", *options]
        code = train.main([str(word) for word in (*given, *wanted)])
        return code, capsys.readouterr().err

    return start


def weights(path):
    return load_file(path)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_and_the_audit_loads_what_it_writes_as_it_was(run, parts, tmp_path):
    code, said = run("--epochs", "12", "--rate", "0.01", "--hold", "0.25", "--no-flip")
    assert code == 0, said
    assert "36 images to train on, 12 held back" in said
    assert "100.00% of 12 held back are right" in said.splitlines()[-1]
    assert not list(tmp_path.glob("*.checkpoint"))
    request = request_subject(str(tmp_path / "out.safetensors"), SubjectOptions())
    subject, info = load_subject(request.model_copy(update={"device": "cpu"}))
    assert (info.record.arch, info.class_names) == ("zoo:spec.toml", ("lying", "upright"))
    data = open_dataset(parts)
    (batch,) = ImageStream(data, subject.preprocess).batches(48)
    answers = subject.logits(torch.from_numpy(batch.images).float() / 255).argmax(dim=1)
    names = [info.class_names[at] for at in answers]
    with (tmp_path / "out-split.csv").open(newline="") as file:
        rows = {row["file_name"]: row for row in csv.DictReader(file)}
    unseen = [at for at, name in enumerate(data.files) if rows[name]["split"] == "test"]
    assert sorted(rows[data.files[at]]["label"] for at in unseen) == ["lying"] * 6 + ["upright"] * 6
    assert all(names[at] == rows[data.files[at]]["label"] for at in unseen)


def test_a_training_stopped_in_the_middle_of_an_epoch_goes_on_to_the_same_bits(run, train, tmp_path, monkeypatch):
    assert run("--mixup", "0.5", out="whole.safetensors")[0] == 0
    through = train.train_epoch

    def stopped(model, optimiser, lessons, epoch):
        for step, loss in enumerate(through(model, optimiser, lessons, epoch)):
            if (epoch, step) == (1, 1):
                raise KeyboardInterrupt
            yield loss

    monkeypatch.setattr(train, "train_epoch", stopped)
    code, said = run("--mixup", "0.5")
    assert (code, "the same command goes on" in said) == (130, True)
    assert not (tmp_path / "out.safetensors").exists()
    monkeypatch.setattr(train, "train_epoch", through)
    torch.manual_seed(99)
    code, said = run("--mixup", "0.5")
    assert (code, "1 epochs done" in said) == (0, True)
    assert same(weights(tmp_path / "out.safetensors"), weights(tmp_path / "whole.safetensors"))
    assert (tmp_path / "out.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_a_full_disk_loses_no_epoch_that_was_written(run, tmp_path, monkeypatch):
    assert run(out="whole.safetensors")[0] == 0
    written, sync = [], os.fsync

    def full(handle):
        written.append(handle)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr("efficiency360.files.os.fsync", full)
    code, said = run()
    assert code == 2
    assert "cannot write" in said
    assert "No space left on device" in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(("out", "."))) == ["out.checkpoint"]
    code, said = run()
    assert (code, "1 epochs done" in said) == (0, True)
    assert same(weights(tmp_path / "out.safetensors"), weights(tmp_path / "whole.safetensors"))


def test_a_checkpoint_of_other_settings_or_none_is_not_gone_on_from_and_weights_are_not_overwritten(
    run, train, tmp_path
):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "score", stop)
        assert run()[0] == 130
    code, said = run("--rate", "0.5")
    assert (code, "other settings (rate: 0.001, now 0.5)" in said) == (2, True)
    (tmp_path / "out.checkpoint").write_bytes(b"PK\x03\x04 no")
    code, said = run()
    assert (code, "is not a checkpoint of this script" in said) == (2, True)
    (tmp_path / "out.checkpoint").unlink()
    (tmp_path / "out.safetensors").write_bytes(b"precious")
    code, said = run()
    assert (code, "is there already" in said) == (2, True)
    assert (tmp_path / "out.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda parts: [path.unlink() for path in (parts / "lying").iterdir()], "are 'upright'; training needs two"),
        (lambda parts: (parts / "lying" / "0.png").write_bytes(b"no"), "1 of 48 images cannot be read (lying/0.png)"),
        (lambda parts: parts.rename(parts.with_name("away")), "no data at"),
    ],
)
def test_data_that_cannot_teach_anything_are_told_in_one_line(run, parts, spoil, said):
    spoil(parts)
    code, line = run()
    assert code == 2
    assert said in line
    assert "\n" not in line.strip()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "20"), "20 x 20 is not divisible by 8"),
        (("--model", "zoo:none"), "no architecture 'none' in the zoo"),
        (("--init", "none.safetensors"), "--init none.safetensors cannot be read"),
        (("--device", "cuda:99"), "--device cuda:99 cannot be used here"),
        (("--hold", "0.99"), "no image of class 'lying' is left to train on"),
        (("--rate", "1e30", "--epochs", "1"), "not finite any more; give a smaller --rate"),
    ],
)
def test_options_that_are_not_possible_are_told_in_one_line(run, options, said):
    code, line = run(*options)
    assert code == 2
    assert said in line


def test_a_few_images_and_a_new_head_are_enough_to_tune_with_and_the_rest_stays(run, tmp_path):
    torch.manual_seed(0)
    before = zoo.create(str(tmp_path / "spec.toml"), num_classes=7, channels=1, size=(32, 32)).state_dict()
    save_file(before, tmp_path / "before.safetensors")
    code, said = run("--init", tmp_path / "before.safetensors", "--freeze", "--shots", "5")
    assert code == 0, said
    assert "10 images to train on" in said
    after = weights(tmp_path / "out.safetensors")
    assert after["head.weight"].shape == (2, 12)
    kept = [name for name in before if not name.startswith(("head", "positions"))]
    assert all(torch.equal(before[name], after[name]) for name in kept)


def test_the_audit_resizes_images_as_the_training_did_whatever_the_architecture_does(run, tmp_path):
    code, said = run("--model", "timm:test_efficientnet", "--size", "32", "--epochs", "1")
    assert code == 0, said
    subject, _ = load_subject(request_subject(str(tmp_path / "out.safetensors"), SubjectOptions()))
    assert get_pretrained_cfg("test_efficientnet").interpolation == "bicubic"
    assert subject.preprocess.interpolation == "bilinear"


def test_weights_to_begin_with_keep_the_scale_that_they_know_and_a_new_head_begins_at_zero(run, train, parts, tmp_path):
    assert run("--epochs", "1", out="first.safetensors")[0] == 0
    for path in parts.rglob("*.png"):
        Image.eval(Image.open(path), lambda value: value // 2).save(path)
    begun = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            train, "train_epoch", lambda model, *_: begun.append(model.head.weight.abs().max().item()) or [0.0]
        )
        for at in range(6):
            (parts / "wavy").mkdir(exist_ok=True)
            Image.effect_noise((16, 16), 50).save(parts / "wavy" / f"{at}.png")
        assert run("--epochs", "1", "--init", tmp_path / "first.safetensors")[0] == 0
    assert begun == [0]
    before, after = (tomllib.loads((tmp_path / f"{name}.toml").read_text())["preprocess"] for name in ("first", "out"))
    assert (after["mean"], after["std"]) == (before["mean"], before["std"])


def test_of_a_frozen_model_the_statistics_stay_as_well_as_the_weights(run, tmp_path):
    options = ("--model", "timm:test_resnet", "--size", "16", "--epochs", "1")
    assert run(*options, out="first.safetensors")[0] == 0
    code, said = run(*options, "--init", tmp_path / "first.safetensors", "--freeze", "--rate", "0.1")
    assert code == 0, said
    before, after = weights(tmp_path / "first.safetensors"), weights(tmp_path / "out.safetensors")
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"fc.weight", "fc.bias"}


def test_statistics_are_kept_where_that_is_asked_while_all_weights_are_trained(run, tmp_path):
    options = ("--model", "timm:test_resnet", "--size", "16", "--epochs", "1")
    assert run(*options, out="first.safetensors")[0] == 0
    code, said = run(*options, "--init", tmp_path / "first.safetensors", "--keep-statistics")
    assert code == 0, said
    before, after = weights(tmp_path / "first.safetensors"), weights(tmp_path / "out.safetensors")
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if "running" in name or "num_batches" in name}


@pytest.mark.parametrize(("option", "value"), [("--seed", "-1"), ("--epochs", "0"), ("--rate", "nan"), ("--hold", "1")])
def test_numbers_out_of_range_are_refused(run, capsys, option, value):
    with pytest.raises(SystemExit, match="2"):
        run(option, value)
    assert f"argument {option}: {value} is not" in capsys.readouterr().err


def test_a_timm_model_is_tuned_too_and_learns_from_a_teacher(run, tmp_path):
    assert run(out="teacher.safetensors")[0] == 0
    code, said = run(
        "--model", "timm:test_resnet", "--size", "16", "--epochs", "1", "--teacher", tmp_path / "teacher.safetensors"
    )
    assert code == 0, said
    subject, _ = load_subject(request_subject(str(tmp_path / "out.safetensors"), SubjectOptions()))
    assert subject.num_classes == 2


def test_the_loss_with_a_teacher_is_the_weighted_sum_of_both(train):
    training = importlib.import_module("training")
    logits, taught = torch.randn(4, 3), torch.randn(4, 3)
    targets = torch.eye(3)[[0, 2, 1, 1]]
    recipe = training.Recipe(1, 1, 1e-3, 0.0, 0.1, 0.0, 0.25, 3.0, False, 0)
    hard = -(targets * 0.9 + 0.1 / 3).mul(logits.log_softmax(1)).sum(1).mean()
    student, teacher = (torch.distributions.Categorical(logits=one / 3) for one in (logits, taught))
    soft = 9 * torch.distributions.kl_divergence(teacher, student).mean()
    torch.testing.assert_close(training.loss_of(logits, targets, taught, recipe), 0.75 * hard + 0.25 * soft)
    assert train.parse(["--data", "x", "--out", "y"]).distil == 0.5
