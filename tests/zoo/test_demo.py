from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image
from safetensors.torch import load_file

from efficiency360 import zoo
from efficiency360.dataset.digits import DigitsSplit, load_digits
from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "digits_transformer"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shipped() -> Path:
    path = zoo.weights(NAME)
    assert path is not None
    return path


@pytest.fixture(scope="module")
def model(shipped: Path) -> torch.nn.Module:
    trained = zoo.create(NAME)
    trained.load_state_dict(load_file(shipped))
    return trained.eval()


def _pixels(split: DigitsSplit) -> torch.Tensor:
    resized = [Image.fromarray(i, mode="L").resize((32, 32), Image.Resampling.BILINEAR) for i in split.images]
    return torch.tensor(np.array([np.asarray(i) for i in resized]))[:, None] / 255


@torch.no_grad()
def test_the_shipped_weights_read_at_least_97_percent_of_unseen_digits(model: torch.nn.Module) -> None:
    split = load_digits("test")
    right = model(_pixels(split)).argmax(dim=1).numpy() == split.labels
    assert right.mean() >= 0.97


def test_the_weights_say_which_images_they_were_trained_and_tested_on(shipped: Path) -> None:
    with safetensors.safe_open(shipped, framework="np") as file:
        said = file.metadata()
    assert said["train_fingerprint"] == load_digits("train").fingerprint
    assert said["test_fingerprint"] == load_digits("test").fingerprint
    assert float(said["test_accuracy"]) >= 0.97
    assert {"seed", "epochs"} < said.keys()


def test_the_shipped_weights_are_small(shipped: Path) -> None:
    assert shipped.stat().st_size < 1_000_000


def test_the_manifest_beside_the_weights_describes_them(shipped: Path) -> None:
    manifest = tomllib.loads(shipped.with_suffix(".toml").read_text())
    assert manifest["model"] == {"file": shipped.name, "arch": f"zoo:{NAME}"}
    assert manifest["preprocess"]["size"] == manifest["preprocess"]["resize"] == [32, 32]
    assert manifest["labels"]["names"] == [str(digit) for digit in range(10)]


@torch.no_grad()
def test_an_image_gets_the_same_logits_alone_as_in_a_batch(model: torch.nn.Module) -> None:
    batch = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([model(image[None]) for image in batch])
    torch.testing.assert_close(alone, model(batch), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_an_exported_program_agrees_at_another_batch_size(model: torch.nn.Module) -> None:
    images = torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    dynamic = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(model, (images[:2],), dynamic_shapes=dynamic).module()
    torch.testing.assert_close(exported(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@torch.no_grad()
def test_a_traced_model_agrees_at_another_batch_size(model: torch.nn.Module) -> None:
    images = torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    traced = torch.jit.trace(model, images[:2])
    torch.testing.assert_close(traced(images), model(images), rtol=1e-4, atol=1e-4)


def test_another_image_size_is_an_error(model: torch.nn.Module) -> None:
    with pytest.raises(RuntimeError):
        model(torch.rand(1, 1, 16, 64))


@pytest.mark.parametrize("ask", [zoo.create, zoo.weights])
def test_an_unknown_name_suggests_the_nearest_and_lists_all(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(InputError, match=r"'digit_transformer'.*did you mean 'digits_transformer'\?.*It has: digits_t"):
        ask("digit_transformer")
    with pytest.raises(InputError, match="'zzz'") as caught:
        ask("zzz")
    assert "did you mean" not in str(caught.value)


def test_the_names_come_without_torch() -> None:
    code = "import sys; from efficiency360 import zoo; zoo.weights(zoo.names()[0]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
