"""Valid files load, and answer as the net that they were made of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from corpus_controls import BATCH, CONTROLS, Control
from corpus_entries import HOSTILE
from corpus_kit import MARKER, NET_SOURCE, Site, saved, small_net, state

from efficiency360.cli.app import run
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

pytestmark = pytest.mark.filterwarnings("ignore")

RULE = """
title = "Answers as it should"
[axes.cost]
[axes.accuracy]
[[rules]]
id = "right"
measurement = "accuracy.top1"
at_least = 0.9
rationale = "The labels are the net's own answers."
[[rules]]
id = "small"
measurement = "cost.params"
at_most = 63
rationale = "It has 63 parameters."
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(tmp_path / "site")
    return Site(tmp_path / "site", tmp_path / MARKER)


@pytest.fixture
def arch(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET_SOURCE)
    return f"{tmp_path / 'net.py'}:net"


def _net(control: Control) -> nn.Module:
    return control.net() if control.net else cast("nn.Module", small_net())


@pytest.mark.parametrize("name", CONTROLS)
def test_a_valid_file_loads_and_answers_as_its_net(name: str, site: Site, arch: str) -> None:
    control = CONTROLS[name]
    options: dict[str, Any] = {"input": control.input, "trust_code": control.trust, **(control.options or {})}
    if not control.bare:
        options["arch"] = arch
    path = control.build(site)
    subject, info = load_subject(request_subject(str(path), SubjectOptions(**options)))
    images = torch.rand(BATCH, *control.input, generator=torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(part)[:, None, None] for part in (info.preprocess.mean, info.preprocess.std))
    with torch.inference_mode():
        expected = _net(control)((images - mean) / std)
        expected = getattr(expected, "logits", expected)
        answers = subject.logits(images)
    assert info.num_classes == 3
    assert torch.allclose(answers, expected, rtol=control.tolerance, atol=control.tolerance)
    assert not site.marker.exists()


def _answered() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Twenty images of each of two classes, by the net's own answers."""
    rng = np.random.default_rng(0)
    noise = rng.random((4000, 8, 8)) ** rng.uniform(0.1, 4, (4000, 1, 1)) * rng.uniform(0.1, 1, (4000, 1, 1))
    images = (255 * noise).astype(np.uint8)
    with torch.inference_mode():
        answers = small_net()(torch.from_numpy(images)[:, None] / 255).argmax(1).numpy()
    often = np.bincount(answers).argsort()[::-1][:2]
    chosen = np.concatenate([np.flatnonzero(answers == label)[:20] for label in often])
    assert len(chosen) == 40
    return images[chosen], answers[chosen]


WHOLE = [
    "zip_plain",
    "legacy_with_optimiser",
    "safetensors_bfloat16",
    "name_escape",
    "trusted_torchscript_scripted",
    "trusted_exported_for_one_image",
    "trusted_pickled_module",
    "trusted_pickled_module_legacy",
    "trusted_onnx_with_external_data",
    "onnx",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_valid_file_passes_an_audit(
    name: str, site: Site, arch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    control = CONTROLS[name]
    images, labels = _answered()
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    (tmp_path / "audit.toml").write_text(RULE)
    named = [] if control.bare else ["--arch", arch]
    trusted = ["--trust-code"] if control.trust else []
    asked = ["--data", tmp_path / "data.npz", "--audit", tmp_path / "audit.toml", "--out", tmp_path / "out"]
    code = run(list(map(str, ["audit", control.build(site), *named, *trusted, *asked, "--input", "1x8x8"])))
    said = capsys.readouterr()
    assert code == 0, said.err + said.out
    assert not site.marker.exists()


@pytest.mark.slow
def test_a_file_name_that_is_not_text_is_audited_or_refused_in_words(
    site: Site, arch: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(site.file(os.fsdecode(b"\xff\xfe.pt")), state())
    code = run(["audit", str(path), "--arch", arch, "--input", "1x8x8", "--axes", "cost", "--out", "out"])
    said = capsys.readouterr().err
    assert code in (0, 2), said
    assert "internal error" not in said


def test_three_of_ten_files_of_the_corpus_are_valid() -> None:
    assert len(CONTROLS) >= 0.3 * (len(CONTROLS) + len(HOSTILE))
    assert len(HOSTILE) >= 90
