"""The badge: valid, readable without seeing it, as wide as its text, the same every time."""

from __future__ import annotations

import pytest
from lxml import etree

from efficiency360.render import badge

SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.fixture
def drawn(sample_card):
    def do(outcome="pass", **changed):
        verdict = sample_card.verdict.model_copy(update={"outcome": outcome})
        page = badge.render(sample_card.model_copy(update={"verdict": verdict, **changed}))
        return etree.fromstring(page.encode()), page

    return do


@pytest.mark.parametrize("outcome", ["pass", "fail", "inconclusive"])
def test_it_says_verdict_and_grade_to_the_eye_and_to_a_screen_reader(drawn, sample_card, outcome):
    root, _ = drawn(outcome)
    said = f"{outcome}, grade {sample_card.overall.grade}"
    assert root.findtext(f"{SVG}title") == root.get("aria-label") == f"e360 audit: {said}"
    assert [text.text for text in root.iter(f"{SVG}text")] == ["e360", said]
    assert root.get("role") == "img"


def test_without_a_score_it_shows_no_grade(drawn, sample_card):
    root, _ = drawn(scores=tuple(one.model_copy(update={"score": None, "grade": None}) for one in sample_card.scores))
    assert root.findtext(f"{SVG}title") == "e360 audit: pass"


def test_its_parts_fill_its_width_and_the_text_fits_its_part(drawn):
    widths = {}
    for outcome in ("pass", "fail", "inconclusive"):
        root, _ = drawn(outcome)
        _, left, right = root.iter(f"{SVG}rect")
        label, said = root.iter(f"{SVG}text")
        assert float(left.get("width")) + float(right.get("width")) == float(root.get("width"))
        assert float(label.get("x")) + float(label.get("textLength")) < float(left.get("width"))
        assert float(said.get("x")) + float(said.get("textLength")) < float(root.get("width"))
        widths[outcome] = float(root.get("width"))
    assert widths["inconclusive"] > widths["pass"]


def test_the_width_is_near_that_of_verdana():
    # advance widths of Verdana at 11 px, from the font's table: "pass" 25.6, "inconclusive" 68.3
    assert badge.width("pass") == pytest.approx(25.6, rel=0.12)
    assert badge.width("inconclusive") == pytest.approx(68.3, rel=0.12)


def test_outcomes_differ_in_shape_and_every_colour_carries_white_text(drawn):
    shapes, colours = set(), set()
    for outcome in ("pass", "fail", "inconclusive"):
        root, _ = drawn(outcome)
        shapes.add(next(root.iter(f"{SVG}path")).get("d"))
        colours |= {one.get("fill") for one in root.iter(f"{SVG}rect") if one.get("fill")}
    assert len(shapes) == 3
    for colour in colours:
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_it_is_the_same_every_time_and_points_at_nothing_outside(drawn):
    assert drawn()[1] == drawn()[1]
    assert drawn()[1].count("http") == 1  # the name space
