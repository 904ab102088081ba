"""The kept reports are what the renderer makes of their scorecards, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from efficiency360.render import html
from efficiency360.scorecards import read_scorecard

GALLERY = Path(__file__).parent.parent.parent / "reports"


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in GALLERY.glob("*/scorecard.json")))
def test_a_kept_report_is_rendered_anew_byte_for_byte(folder):
    card = read_scorecard(GALLERY / folder)
    assert html.render(card).encode() == (GALLERY / folder / "report.html").read_bytes(), "run `make gallery`"


def test_there_is_a_gallery():
    assert list(GALLERY.glob("*/scorecard.json"))
