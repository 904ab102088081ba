"""The kept reports are what their evidence, the measuring and the renderer make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from efficiency360.audited import read_audited
from efficiency360.cli.app import run
from efficiency360.engine.gate import gate
from efficiency360.engine.recompute import recompute
from efficiency360.render import figures, report
from efficiency360.scorecards import read_scorecard
from efficiency360.search.finish import shape_of
from efficiency360.searched import read_searched, search_file
from efficiency360.zoo.spec import load_spec

GALLERY = Path(__file__).parent.parent.parent / "reports"
FOLDERS = sorted(path.parent.name for path in GALLERY.glob("*/scorecard.json"))
SEARCHES = sorted(path.parent.parent.name for path in GALLERY.glob("*/search/search.json"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_kept_report_is_rendered_anew_byte_for_byte(folder):
    card = read_scorecard(GALLERY / folder)
    assert (
        report.render(card, figures.read(card, GALLERY / folder)).encode()
        == (GALLERY / folder / "report.html").read_bytes()
    ), "run `make gallery`"


@pytest.mark.parametrize("folder", FOLDERS)
def test_kept_evidence_and_samples_give_the_numbers_again(folder):
    again = recompute(*read_audited(GALLERY / folder), GALLERY / folder)
    measured = {axis.id for axis in again.audited.axes if axis.status == "measured"}
    assert {"cost", "speed"} <= measured - again.unchecked.keys()
    assert again.audited.samples.keys() >= {"accuracy", "speed", "uncertainty"}
    assert again.audited.axes == read_scorecard(GALLERY / folder).axes


@pytest.mark.parametrize("folder", SEARCHES)
def test_a_kept_search_is_rendered_anew_byte_for_byte(folder, tmp_path):
    kept = GALLERY / folder / "search"
    assert run(["report", str(kept), "--out", str(tmp_path / "report.html")]) == 0
    assert (tmp_path / "report.html").read_bytes() == (kept / "report.html").read_bytes(), "run `make gallery`"


@pytest.mark.parametrize("folder", SEARCHES)
def test_the_kept_model_of_a_search_is_the_one_that_it_chose_and_its_front_meets_the_limit(folder):
    found = read_searched(search_file(GALLERY / folder / "search"))
    chosen = next(model for model in found.front if model.chosen)
    assert all(model.p95_bound_ms <= found.constraints["limits"]["latency_p95_ms"] for model in found.front)
    spec = load_spec(str(GALLERY / folder / "architecture.toml"))
    assert shape_of(spec) == chosen.shape


def test_the_larger_model_is_blocked_against_the_smaller_as_its_baseline_and_not_the_other_way_round():
    small, large = GALLERY / "efficientnet-lite0", GALLERY / "efficientnet-lite2"
    verdict = gate(large, audit="release", baseline=small).card.verdict
    failed = [rule for rule in verdict.rules if rule.severity == "block" and rule.outcome == "fail"]
    assert verdict.outcome == "fail"
    assert [rule.rule for rule in failed] == ["no-costlier"]
    by_id = {rule.rule: rule for rule in verdict.rules}
    assert by_id["no-less-accurate"].comparison.interval.method == "tango"
    back = gate(small, audit="release", baseline=large).card.verdict
    assert {rule.rule: rule.outcome for rule in back.rules}["no-costlier"] == "pass"


def test_no_image_is_kept():
    assert {path.suffix for path in GALLERY.rglob("*") if path.is_file()} <= {
        ".html",
        ".json",
        ".npz",
        ".md",
        ".png",
        ".toml",
    }
    assert [path.name for path in GALLERY.rglob("*.png")] == ["gallery.png"]
