"""The demo model: what it reads and weighs, and that the recipe made it of images that the demo never shows it."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image
from safetensors.torch import load_file

from efficiency360 import zoo
from efficiency360.dataset import open_dataset
from efficiency360.dataset.digits import DigitsSplit, load_digits
from efficiency360.errors import InputError
from efficiency360.numerics.complexity import count
from efficiency360.zoo.spec import SHIPPED

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
    return _loaded(shipped)


def _loaded(path: Path) -> torch.nn.Module:
    trained = zoo.create(NAME)
    trained.load_state_dict(load_file(path))
    return trained.eval()


@torch.no_grad()
def _right(model: torch.nn.Module, weights: Path, split: DigitsSplit) -> float:
    """The share that is read right of images prepared as the manifest says, by PIL."""
    said = tomllib.loads(weights.with_suffix(".toml").read_text())["preprocess"]
    resized = [Image.fromarray(i, mode="L").resize((32, 32), Image.Resampling.BILINEAR) for i in split.images]
    pixels = torch.tensor(np.array([np.asarray(i) for i in resized]))[:, None] / 255
    answers = model((pixels - said["mean"][0]) / said["std"][0]).argmax(dim=1)
    return float((answers.numpy() == split.labels).mean())


def test_the_shipped_weights_read_at_least_98_percent_of_unseen_digits(model: torch.nn.Module, shipped: Path) -> None:
    assert _right(model, shipped, load_digits("test")) >= 0.98


@pytest.fixture
def train(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(root / "examples"))
    return importlib.import_module("train")


@pytest.fixture(scope="module")
def command() -> list[str]:
    """How the comment in the spec says that the weights were made, as words."""
    comment = (SHIPPED / f"{NAME}.toml").read_text().replace("\\\n#", "")
    return shlex.split(re.search(r"^# +python examples/train.py (.*)$", comment, re.MULTILINE)[1])


def test_the_weights_are_those_of_the_recipe_and_of_the_train_part(
    shipped: Path, train: Any, command: list[str]
) -> None:
    with safetensors.safe_open(shipped, framework="np") as file:
        said = json.loads(file.metadata()["training"])
    options, recipe = train.parse(command), said["recipe"]
    assert recipe.items() <= asdict(train.Recipe(**{key: getattr(options, key) for key in recipe})).items()
    assert not options.flip
    assert recipe["epochs"] == options.epochs
    data = open_dataset("digits-train")
    assert said["images"] == data.fingerprint(data.image_hashes())
    assert said["held_back"] == "nothing held back"
    assert options.data == "digits-train"


@pytest.mark.slow
def test_the_command_that_made_the_weights_makes_such_weights(tmp_path: Path, train: Any, command: list[str]) -> None:
    out = tmp_path / "digits_transformer.safetensors"
    assert train.main([*command, "--epochs", "4", "--out", str(out)]) == 0
    assert (tmp_path / "digits_transformer.toml").read_bytes() == zoo.weights(NAME).with_suffix(".toml").read_bytes()
    assert _right(_loaded(out), out, load_digits("test")) > 0.7


def test_the_shipped_weights_are_small(shipped: Path) -> None:
    assert shipped.stat().st_size < 1_000_000


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_its_cost_is_what_fvcore_counts_and_attention_that_fvcore_does_not_know(model: torch.nn.Module) -> None:
    from fvcore.nn import FlopCountAnalysis  # noqa: PLC0415 - warns where it is imported first

    image = torch.rand(1, 1, 32, 32)
    theirs = FlopCountAnalysis(model, image).unsupported_ops_warnings(enabled=False).total()
    inside, pooled, all_of_them = 2 * (4 * 16 * 16) * 48, (16 * 64) * 96, (16 * 16) * 96
    found = count(model, image)
    assert found.macs == theirs + 2 * (inside + pooled + all_of_them)  # queries by keys, then weights by values
    assert found.coverage == 1
    assert found.macs == 6_150_048
    assert sum(parameter.numel() for parameter in model.parameters()) == 184_906


def test_the_manifest_beside_the_weights_describes_them(shipped: Path) -> None:
    manifest = tomllib.loads(shipped.with_suffix(".toml").read_text())
    assert manifest["model"] == {"file": shipped.name, "arch": f"zoo:{NAME}"}
    assert manifest["preprocess"]["size"] == manifest["preprocess"]["resize"] == [32, 32]
    assert manifest["labels"]["names"] == [str(digit) for digit in range(10)]


def test_it_is_a_turbovit_that_attends_inside_units_and_pools(model: torch.nn.Module) -> None:
    blocks = model.spec.blocks
    assert model.spec.units > 1
    assert {block.attention for block in blocks} == {"units", "global"}
    assert sum(block.pool for block in blocks) == 1
    assert zoo.create(NAME, num_classes=3, channels=3, size=(16, 48))(torch.rand(2, 3, 16, 48)).shape == (2, 3)


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
    with pytest.raises(ValueError, match="images of 16x64 pixels for a model of 32x32"):
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
