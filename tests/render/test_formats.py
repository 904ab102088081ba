"""The registry of formats: each is there, each has a file of its own, and none is slow to import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from efficiency360.records import Scorecard
from efficiency360.render.formats import FORMATS


def test_every_format_has_a_file_of_its_own_and_a_line_about_it():
    assert list(FORMATS) == ["html", "json", "csv", "junit", "sarif", "markdown"]
    assert len({found.file for found in FORMATS.values()}) == len(FORMATS)
    for found in FORMATS.values():
        assert 0 < len(found.description) < 80


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders_a_scorecard(ruled, name):
    page = FORMATS[name].render(ruled)
    assert page.endswith("\n")
    assert "efficientnet-lite0" in page or name == "csv"


@pytest.mark.parametrize("name", FORMATS)
def test_a_waiver_and_the_comparison_are_in_every_format(ruled, name):
    page = FORMATS[name].render(ruled)
    assert "Jane Doe" in page
    assert "2027-03-31" in page
    assert "2026-01-31" in page
    assert name in {"junit", "sarif"} or "0.012" in page or "1.2 points worse" in page


def test_the_json_is_the_scorecard(ruled):
    assert Scorecard.model_validate(json.loads(FORMATS["json"].render(ruled))) == ruled


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_imports_what_is_slow(ruled, tmp_path, name):
    (tmp_path / "card.json").write_text(ruled.model_dump_json(), encoding="utf-8")
    code = (
        "import sys\n"
        "from efficiency360.records import Scorecard\n"
        "from efficiency360.render.formats import FORMATS\n"
        "card = Scorecard.model_validate_json(open(sys.argv[1], encoding='utf-8').read())\n"
        "FORMATS[sys.argv[2]].render(card)\n"
        "print(*sorted({'torch', 'scipy', 'numpy', 'pandas'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "card.json"), name]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {"torch", "scipy", "pandas"}.isdisjoint(found)
