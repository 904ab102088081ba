"""Valid files with a bit flipped or their end cut off: refused in words, or loaded where the damage does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from corpus_controls import CONTROLS
from corpus_kit import MARKER, NET_SOURCE, Site, state

from efficiency360.errors import InputError
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")

WEIGHTS = ("zip_plain", "zip_with_optimiser", "legacy_plain", "safetensors_plain", "safetensors_with_metadata")
CODE = ("trusted_torchscript_scripted", "trusted_exported", "trusted_pickled_module", "trusted_pickled_module_plain")
FLIPS, CUTS = 60, 30


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Open bytes as the audit would; why they were refused, or nothing. Kinds that run code stop before that."""
    (tmp_path / "net.py").write_text(NET_SOURCE)

    def attempt(name: str, content: bytes) -> str:
        path = tmp_path / "damaged"
        path.write_bytes(content)
        bare = name in CODE or name == "onnx"
        arch = None if bare else f"{tmp_path / 'net.py'}:net"
        options = SubjectOptions(arch=arch, input=(1, 8, 8), trust_code=name in CODE)
        try:
            request = request_subject(str(path), options)
            if not bare:
                load_subject(request)
        except InputError as error:
            return str(error)
        return ""

    return attempt


def _valid(name: str, tmp_path: Path) -> bytes:
    (tmp_path / "site").mkdir()
    return CONTROLS[name].build(Site(tmp_path / "site", tmp_path / MARKER)).read_bytes()


@pytest.mark.parametrize("name", [*WEIGHTS, *CODE, "onnx"])
def test_no_flipped_bit_does_more_than_spoil_the_file(
    name: str, tmp_path: Path, opened: Callable[[str, bytes], str]
) -> None:
    content = _valid(name, tmp_path)
    rng = np.random.default_rng(0)
    places = {*range(16), *rng.integers(0, len(content), FLIPS).tolist(), *range(len(content) - 24, len(content))}
    for place in sorted(places):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        opened(name, bytes(damaged))


@pytest.mark.parametrize("name", [*WEIGHTS, *CODE, "onnx"])
def test_no_file_that_is_cut_short_is_taken_for_a_whole_one(
    name: str, tmp_path: Path, opened: Callable[[str, bytes], str]
) -> None:
    content = _valid(name, tmp_path)
    assert opened(name, content) == ""
    lengths = {*range(12), *np.linspace(12, len(content) - 1, CUTS, dtype=int).tolist()}
    for length in sorted(lengths):
        refused = opened(name, content[:length])
        assert refused or name == "onnx", length
        assert "\n" not in refused


@pytest.mark.parametrize("name", ["zip_plain", "zip_with_optimiser"])
def test_no_flipped_bit_in_the_weights_of_an_archive_goes_unseen(
    name: str, tmp_path: Path, opened: Callable[[str, bytes], str]
) -> None:
    content = _valid(name, tmp_path)
    start = content.index(state()["0.weight"].numpy().tobytes())
    for place in range(start, start + 40):
        damaged = bytearray(content)
        damaged[place] ^= 4
        assert opened(name, bytes(damaged)), place
