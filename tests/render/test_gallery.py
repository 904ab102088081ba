"""The kept reports are what their evidence, the measuring and the renderer make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from efficiency360.arrays import load_arrays
from efficiency360.axes import make_axis
from efficiency360.engine.store import KEY
from efficiency360.files import sha256_file
from efficiency360.render import html
from efficiency360.scorecards import read_scorecard

GALLERY = Path(__file__).parent.parent.parent / "reports"
FOLDERS = sorted(path.parent.name for path in GALLERY.glob("*/scorecard.json"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_kept_report_is_rendered_anew_byte_for_byte(folder):
    card = read_scorecard(GALLERY / folder)
    assert html.render(card).encode() == (GALLERY / folder / "report.html").read_bytes(), "run `make gallery`"


def arrays(folder, axis_id):
    with (GALLERY / folder / f"evidence/{axis_id}.npz").open("rb") as file:
        found = load_arrays(file)
    found.pop(KEY)
    return found


def kept(folder):
    return sorted(path.stem for path in (GALLERY / folder / "evidence").glob("*.npz"))


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if kept(folder)])
def test_kept_evidence_is_what_the_scorecard_names_and_gives_its_numbers_again(folder):
    card = read_scorecard(GALLERY / folder)
    beside = {f"cost.{name}": array for name, array in arrays(folder, "cost").items()}
    for axis_id in kept(folder):
        record = card.axis(axis_id)
        named = {artifact.path: artifact.sha256 for artifact in record.artifacts}
        assert named[f"evidence/{axis_id}.npz"] == sha256_file(GALLERY / folder / f"evidence/{axis_id}.npz")
        findings = make_axis(axis_id, record.settings).measure({**arrays(folder, axis_id), **beside}, None)
        assert findings.measurements == record.measurements
        assert findings.series == record.series
        assert findings.caveats == record.caveats


def test_there_is_a_gallery_with_evidence():
    assert sum(kept(folder) == ["cost", "speed"] for folder in FOLDERS) >= 3


def test_no_image_is_kept():
    assert {path.suffix for path in GALLERY.rglob("*") if path.is_file()} <= {".html", ".json", ".npz", ".md", ".png"}
    assert [path.name for path in GALLERY.rglob("*.png")] == ["gallery.png"]
