from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from safetensors.torch import load_file

from efficiency360 import zoo
from efficiency360.dataset.digits import load_digits

SCRIPT = Path(__file__).parents[2] / "examples" / "train_digits.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.slow
def test_one_epoch_writes_weights_that_load_and_say_what_they_saw(tmp_path: Path) -> None:
    out = tmp_path / "digits.safetensors"
    command = [sys.executable, str(SCRIPT), "--epochs", "1", "--seed", "3", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch   1/1" in done.stdout
    assert list(tmp_path.iterdir()) == [out]
    zoo.create("digits_transformer").load_state_dict(load_file(out))
    with safetensors.safe_open(out, framework="np") as file:
        said = file.metadata()
    assert (said["seed"], said["epochs"]) == ("3", "1")
    assert said["train_fingerprint"] == load_digits("train").fingerprint
    assert said["test_fingerprint"] == load_digits("test").fingerprint


def test_the_help_shows_an_example(script: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        script["main"](["--help"])
    assert "example: python examples/train_digits.py" in capsys.readouterr().out


def test_no_epochs_is_refused(script: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        script["main"](["--epochs", "0", "--out", "never.safetensors"])
    assert "0 is not 1 or more" in capsys.readouterr().err


def test_augmentation_changes_images_but_not_their_shape_range_or_the_global_generator(script: dict[str, Any]) -> None:
    images = torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    once, again, other = (script["augment"](images, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert once.shape == images.shape
    assert once.min() >= 0
    assert once.max() <= 1


def test_the_learning_rate_warms_up_and_ends_near_zero(script: dict[str, Any]) -> None:
    rates = [script["rate_at"](step, 100) for step in range(100)]
    assert rates[0] < max(rates)
    assert rates.index(max(rates)) == 4
    assert 0 < rates[-1] < 0.001
    assert script["rate_at"](0, 1) == 1
