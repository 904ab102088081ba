"""One thread, and nothing left behind by networks that import `format_nets`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

HERE = Path(__file__).parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.subject import Subject


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """One thread; afterwards the threads and the places that Python imports from are as before."""
    threads, places = torch.get_num_threads(), sys.path[:]
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    sys.path[:] = places


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for models, with the code of the networks beside them."""
    shutil.copy(HERE / "format_nets.py", tmp_path)
    return tmp_path


@pytest.fixture
def load():
    """Load a file as the worker does."""

    def loaded(path: Path, *, trust_code: bool = True, **options: Any) -> tuple[Subject, SubjectInfo]:
        return load_subject(request_subject(str(path), SubjectOptions(trust_code=trust_code, **options)))

    return loaded


@pytest.fixture
def manifest(tmp_path: Path):
    """Write a manifest that says where the logits are."""

    def written(output: str) -> Path:
        path = tmp_path / "outputs.toml"
        path.write_text(f"[model]\noutput = {output}\n")
        return path

    return written
