"""Bad input gives one clear line, the right exit code, and no half-written file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest


def scorecard(folder: Path) -> dict:
    return json.loads((folder / "scorecard.json").read_text())


def axis(folder: Path, axis_id: str) -> dict:
    return next(axis for axis in scorecard(folder)["axes"] if axis["id"] == axis_id)


def test_a_missing_file_is_named(e360):
    answer = e360("audit", "nowhere.pt", "--arch", "timm:resnet18")
    assert answer.code == 2
    assert "nowhere.pt" in answer.complaint


def test_a_folder_is_not_a_model(e360, images):
    answer = e360("audit", images, "--arch", "timm:resnet18")
    assert answer.code == 2
    assert "folder" in answer.complaint or "directory" in answer.complaint


@pytest.mark.parametrize(("name", "content"), [("empty.pt", b""), ("text.pt", b"not a model\n" * 50)])
def test_a_file_that_is_no_model_is_refused(e360, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    answer = e360("audit", name, "--arch", "timm:resnet18")
    assert answer.code == 2
    assert name in answer.complaint


def test_weights_without_an_architecture_say_how_to_name_it(e360, lite0):
    answer = e360("audit", lite0)
    assert answer.code == 2
    assert "--arch timm:NAME" in answer.complaint


@pytest.mark.parametrize("arch", ["timm:resnet51", "torchvision:resnet51", "zoo:digits_transformr"])
def test_a_misspelt_architecture_gets_a_suggestion(e360, arch):
    answer = e360("audit", arch)
    assert answer.code == 2
    assert "did you mean" in answer.complaint


def test_names_that_differ_offer_the_remap(e360, lite0):
    answer = e360("audit", lite0, "--arch", "timm:tf_efficientnet_lite0")
    assert answer.code == 2
    assert "--remap order" in answer.complaint


def test_the_wrong_architecture_is_refused(e360, lite0):
    answer = e360("audit", lite0, "--arch", "timm:resnet18")
    assert answer.code == 2
    assert "resnet18" in answer.complaint


def test_unknown_data_is_named(e360):
    answer = e360("audit", "timm:resnet18", "--data", "nowhere")
    assert answer.code == 2
    assert "nowhere" in answer.complaint


def test_an_empty_data_set_is_refused(e360, tmp_path):
    (tmp_path / "empty").mkdir()
    answer = e360("audit", "timm:resnet18", "--data", "empty")
    assert answer.code == 2
    assert "no images" in answer.complaint


TABLES = {
    "absent image": ("file_name,label\na/0.png,0\na/9.png,0\n", "line 3"),
    "two rows for one image": ("file_name,label\na/0.png,0\na/0.png,1\n", "second row"),
    "label out of range": ("file_name,label\na/0.png,0\na/2.png,7\n", "line 3: label 7 is out of range"),
    "unknown column": ("filename,label\na/0.png,0\n", "did you mean 'filename'"),
}


@pytest.mark.parametrize(("table", "says"), TABLES.values(), ids=TABLES.keys())
def test_a_mistake_in_the_table_is_named_with_its_line(e360, images, tiny_arch, table, says):
    (images / "metadata.csv").write_text(table)
    answer = e360("audit", f"{tiny_arch}good", "--input", "3x8x8", "--data", images)
    assert answer.code == 2
    assert says in answer.complaint


def test_a_table_that_is_not_utf8_is_refused(e360, images):
    (images / "metadata.csv").write_bytes("file_name,label\na/0.png,gâteau\n".encode("latin-1"))
    answer = e360("audit", "timm:resnet18", "--data", images)
    assert answer.code == 2
    assert "UTF-8" in answer.complaint


def test_the_wrong_number_of_classes_is_explained(e360, images, tiny_arch):
    shutil.copytree(images / "a", images / "c")
    answer = e360("audit", f"{tiny_arch}good", "--input", "3x8x8", "--data", images)
    assert answer.code == 2
    assert "3 names" in answer.complaint
    assert "2 outputs" in answer.complaint


ANSWERS = {
    "tuple_": "a tuple of 2",
    "dict_": "'logits', 'features'",
    "text": "a str",
    "three_dims": "(2, 1, 2)",
    "not_a_module": "not a torch.nn.Module",
    "broken": "no such thing",
    "god": "did you mean 'good'",
}


@pytest.mark.parametrize(("factory", "says"), ANSWERS.items())
def test_a_model_that_does_not_answer_logits_is_explained(e360, tiny_arch, factory, says):
    answer = e360("audit", f"{tiny_arch}{factory}", "--input", "3x8x8")
    assert answer.code == 2
    assert says in answer.complaint


def test_a_part_of_a_dict_is_chosen_in_the_manifest(e360, tiny_arch, images, tmp_path):
    (tmp_path / "m.toml").write_text('[model]\noutput = "logits"\n[preprocess]\nsize = 8\n')
    answer = e360("audit", f"{tiny_arch}dict_", "--manifest", "m.toml", "--data", images, "--out", "out")
    assert answer.code in (0, 1, 3), answer.err
    assert axis(tmp_path / "out", "accuracy")["status"] == "measured"


def test_nan_logits_fail_the_axis_and_leave_the_other(e360, tiny_arch, images, tmp_path):
    answer = e360("audit", f"{tiny_arch}nan", "--input", "3x8x8", "--data", images, "--out", "out")
    assert answer.code == 3
    assert "NaN" in axis(tmp_path / "out", "accuracy")["reason"]
    assert axis(tmp_path / "out", "cost")["status"] == "measured"
    assert "Traceback" not in answer.out + answer.err


def test_a_worker_killed_from_outside_fails_the_axis_and_leaves_the_other(e360, tiny_arch, images, tmp_path):
    answer = e360("audit", f"{tiny_arch}killed", "--input", "3x8x8", "--data", images, "--out", "out")
    assert answer.code == 3
    assert "SIGKILL" in axis(tmp_path / "out", "accuracy")["reason"]
    assert axis(tmp_path / "out", "cost")["status"] == "measured"


def test_an_audit_that_outlasts_its_budget_is_cut_off(e360, tiny_arch, images, tmp_path):
    common = ("--input", "3x8x8", "--data", images, "--out", "out")
    answer = e360("audit", f"{tiny_arch}sleepy", *common, "--budget", "20s")
    assert answer.code == 3
    assert "--budget" in axis(tmp_path / "out", "accuracy")["reason"]


def test_unreadable_images_fail_the_audit_above_the_stated_share_only(e360, tiny_arch, images, tmp_path):
    (images / "a" / "0.png").write_bytes(b"not a png")
    common = ("audit", f"{tiny_arch}good", "--input", "3x8x8", "--data", images)
    assert e360(*common, "--out", "strict").code == 3
    assert "a/0.png" in axis(tmp_path / "strict", "accuracy")["reason"]
    e360(*common, "--out", "lenient", "--set", "accuracy.max_unreadable=0.5")
    lenient = axis(tmp_path / "lenient", "accuracy")
    assert lenient["measurements"][0]["n"] == 7
    assert any("a/0.png" in caveat["text"] for caveat in lenient["caveats"])


RULE = 'title="t"\n[axes.cost]\n[[rules]]\nid="a"\nmeasurement="cost.macs"\nrationale="r"\n'
AUDITS = {
    "unknown key": (f"{RULE}at_lest=1", "at_least"),
    "unknown axis": ('title="t"\n[axes.kost]\n', "did you mean 'cost'"),
    "unknown setting": ('title="t"\n[axes.accuracy]\nbatchsize=3\n', "did you mean 'batch_size'"),
    "NaN": (f"{RULE}at_least=nan", "finite"),
    "not TOML": ("title=", "TOML"),
}


@pytest.mark.parametrize(("content", "says"), AUDITS.values(), ids=AUDITS.keys())
def test_a_mistake_in_the_audit_file_is_named(e360, tmp_path, content, says):
    (tmp_path / "a.toml").write_text(content)
    answer = e360("audit", "timm:resnet18", "--audit", "a.toml")
    assert answer.code == 2
    assert says in answer.complaint


OPTIONS = {
    "--axes kost": "did you mean 'cost'",
    "--set cost": "AXIS.KEY=VALUE",
    "--set speed.batch=1": "no axis 'speed'",
    "--set accuracy.batch_size=many": "accuracy.batch_size",
    "--input 224": "3x224x224",
    "--limit 0": "above 0",
    "--limit many": "--limit",
    "--budget soon": "10m",
    "--device abacus": "abacus",
    "--adit quick": "--adit",
}


@pytest.mark.parametrize(("options", "says"), OPTIONS.items())
def test_a_mistake_in_an_option_is_named(e360, options, says):
    answer = e360("audit", "timm:test_resnet", *options.split())
    assert answer.code == 2
    assert says in answer.complaint


def test_an_output_folder_that_cannot_be_written_is_named_before_any_work(e360, tmp_path):
    (tmp_path / "file").write_text("")
    answer = e360("audit", "timm:resnet18", "--out", "file/out")
    assert answer.code == 2
    assert "file/out" in answer.complaint


def test_a_pipe_of_a_scorecard_that_is_none_is_refused(e360, tmp_path):
    (tmp_path / "scorecard.json").write_text('{"schema_version": 1')
    assert "not a scorecard" in e360("gate", "scorecard.json").complaint
    (tmp_path / "scorecard.json").write_text('{"schema_version": 99}')
    assert "99" in e360("gate", "scorecard.json").complaint
    assert e360("gate", "absent.json").code == 2


def _heed_interrupts():
    """A shell starts what it runs in the background with interrupts ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_in_one_line_and_keeps_what_is_finished(tmp_path, tiny_arch, images):
    command = [sys.executable, "-m", "efficiency360", "audit", f"{tiny_arch}sleepy", "--input", "3x8x8"]
    process = subprocess.Popen(
        [*command, "--data", str(images), "--out", "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - nothing else runs here meanwhile
    )
    evidence = tmp_path / "out" / "evidence" / "cost.npz"
    deadline = time.monotonic() + 120
    while not evidence.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "e360: interrupted" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "scorecard.json").exists()
    with np.load(evidence) as archive:
        assert archive["params"] == 386
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_the_worker_does_not_outlive_a_killed_audit(tmp_path, tiny_arch, images):
    command = [sys.executable, "-m", "efficiency360", "audit", f"{tiny_arch}sleepy", "--input", "3x8x8"]
    process = subprocess.Popen([*command, "--data", str(images)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this kernel does not list children")
    deadline = time.monotonic() + 60
    while not (pids := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20  # the worker itself would sleep for 60
    while (left := [pid for pid in pids if _runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


def _runs(pid: str) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("option", ["--with", "--out", "--data", "--manifest", "--audit"])
def test_a_path_that_is_not_text_is_one_line_and_no_internal_error(e360, tmp_path, tiny_arch, option):
    folder = tmp_path / os.fsdecode(b"b\xffd")
    folder.mkdir()
    answer = e360("audit", f"{tiny_arch}good", "--input", "3x8x8", "--axes", "cost", option, str(folder))
    assert "internal error" not in answer.err
    assert answer.code == (3 if option == "--out" else 2)
