"""The README's demo is what the terminal prints, shortened and never changed; its pictures are small."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from efficiency360.scorecards import read_scorecard

if TYPE_CHECKING:
    from efficiency360.records import Scorecard

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pictures() -> Any:
    """The script, which is no module of the package."""
    pytest.importorskip("PIL")
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def demo() -> Scorecard:
    """A kept audit of the demo's model."""
    return read_scorecard(ROOT / "reports" / "digits-demo")


def test_each_line_is_one_of_the_terminals_in_its_order_and_gaps_are_marked(pictures: Any, demo: Scorecard) -> None:
    whole = [line.rstrip() for line in pictures.printed(demo).splitlines()]
    said = pictures.block(demo).splitlines()
    at = -1
    for before, line in zip([None, *said], said, strict=False):
        if line == "...":
            assert before != "..."
            continue
        found = whole.index(line, at + 1)
        assert before in {"...", None} or not any(whole[at + 1 : found])
        at = found
    assert found == len(whole) - 1


def test_rows_stay_whole_and_others_go(pictures: Any, demo: Scorecard) -> None:
    said = pictures.block(demo)
    assert "PASS" in said
    assert "  Latency stat=p95 " in said
    assert re.search(r"at most 1 s:\s+pass", said)
    assert "  Top-1 accuracy " in said
    assert "Top-5" not in said
    assert "Parameters" not in said
    doubts = [one for axis in demo.axes if axis.id == "speed" for one in axis.caveats if one.severity != "info"]
    assert said.count("\n  ! ") == len(doubts)
    assert max(map(len, said.splitlines())) <= pictures.WIDTH


def test_the_readme_has_the_place_for_it_and_small_pictures(pictures: Any) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(pictures._BLOCK.findall(readme)) == 1
    for name in ("docs/report.png", "docs/terminal.png"):
        assert f"({name})" in readme
        assert 10_000 < (ROOT / name).stat().st_size < 200_000


def test_the_terminal_is_drawn_without_fonts_from_elsewhere(pictures: Any, demo: Scorecard) -> None:
    svg = pictures.drawn(demo)
    assert "http" not in svg.replace("http://www.w3.org/", "").replace("https://www.textualize.io", "")
    assert "PASS" in svg
