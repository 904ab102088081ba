"""A history drawn: bars in 80 columns and figures on a page, lines only where points are joined, nothing hostile."""

from __future__ import annotations

import io
import re

import pytest
from lxml import etree
from rich.console import Console

from efficiency360.audited import Audited
from efficiency360.judge.history import Release, history
from efficiency360.records import AxisRecord
from efficiency360.render import history_page, history_text
from efficiency360.render.timeline import Spot, Strip, arrange
from efficiency360.render.wording import LANGUAGES, words

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e=1+1" + "x" * 10_000


@pytest.fixture
def past(card_of, cost, accuracy_of):
    """Four audits: the third lacks the accuracy, the fourth is on other data."""

    def do(name="v"):
        releases = []
        for index, right in enumerate((80, 90, None, 70), start=1):
            axis = AxisRecord(id="accuracy", version=1, status="skipped", reason="left out")
            if right is not None:
                axis = accuracy_of(["cat", "dog", "owl"], n=40, right=right)
            card = card_of((cost, axis), name=f"{name}-net")
            data = card.dataset.model_copy(update={"fingerprint": ("aa" if index < 4 else "bb") * 32})
            place = card.environment.model_copy(update={"started_at": f"2026-0{index}-01T00:00:00+00:00"})
            card = card.model_copy(update={"environment": place, "dataset": data})
            releases.append(Release(f"{name}{index}", card, Audited(card.subject, data, place, card.axes)))
        return history(releases)

    return do


def printed(found) -> str:
    page = io.StringIO()
    history_text.show(found, Console(file=page, width=80))
    return page.getvalue()


def tree(found, language="en"):
    return etree.fromstring(history_page.render(found, language).encode(), etree.HTMLParser())


def strip_of(*values: float | None, notes: tuple[int, ...] = ()) -> Strip:
    spots = [
        Spot(value, str(value), joined=index > 0, note=1 if index in notes else 0) for index, value in enumerate(values)
    ]
    return Strip("a number", "", "higher", tuple(spots))


def test_bars_are_as_high_as_their_numbers_with_dots_for_none_and_a_bar_before_a_break():
    assert history_text.spark(strip_of(0, 7, None, 3.5, notes=(3,)).spots) == "▁█·|▅"
    assert history_text.spark(strip_of(2, 2).spots) == "▅▅"
    assert history_text.spark(strip_of(None).spots) == "·"


def test_the_first_number_shown_is_the_first_that_compares_with_the_last():
    assert strip_of(1, 2, 3, notes=(1,)).first.value == 2
    assert strip_of(None, 1, None, 3).first.value == 1
    assert strip_of(None).first is None


def test_the_terminal_tells_each_axis_and_why_points_are_apart_within_80_columns(past):
    told = printed(past())
    assert max(map(len, told.splitlines())) <= 80
    assert "v4" in told
    assert re.search(r"Top-1 accuracy +.█·\|▁", told)
    assert "the data differ" in told
    assert "4 (v4)" in told
    assert "\x1b" not in told


def test_more_audits_than_fit_are_counted(past):
    found = past()
    many = history(
        [
            Release(f"r{index}", found.releases[0].card, found.releases[0].audit)
            for index in range(history_text._MOST + 10)
        ]
    )
    told = printed(many)
    assert "The latest 16 of 26 audits" in told
    assert max(map(len, told.splitlines())) <= 80


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_draws_a_dot_a_number_and_lines_only_between_joined_points(past, language):
    root = tree(past(), language)
    assert root.get("lang") == language
    title = words("history", language)["measurements"]["accuracy.top1"]
    figure = next(one for one in root.iter("figure") if title in "".join(one.find("figcaption").itertext()))
    kinds = [one.get("class") for one in figure.iter("path", "circle")]
    assert kinds.count("dot") == 3
    assert kinds.count("line") == 1  # from the first to the second; neither over the gap nor to other data
    assert kinds.count("reach") == 3
    assert kinds.count("gap") == 1
    assert kinds.count("break") == 1


def test_dots_stand_where_their_numbers_are():
    drawn = history_page.figure(strip_of(0.0, 10.0, 5.0))
    low, high, middle = (mark.y for mark in drawn.marks)
    assert low > middle > high
    assert middle == pytest.approx((low + high) / 2)
    at = {tick.label: tick.at for tick in drawn.levels}
    assert at["0"] == pytest.approx(low)
    assert at["10"] == pytest.approx(high)
    assert [mark.line for mark in drawn.marks][1] == (drawn.marks[0].x, low)


@pytest.mark.parametrize("values", [(1.0,), (0.0, 0.0), (-3.0, -3.0), (1e12, 1e-12), (None,), tuple(range(200))])
def test_any_numbers_have_a_scale_within_the_drawing(values):
    drawn = history_page.figure(strip_of(*values))
    places = [mark.y for mark in drawn.marks if mark.y is not None] + [tick.at for tick in drawn.levels]
    assert all(drawn.top - 1 <= place <= drawn.bottom + 1 for place in places)
    assert 1 <= len(drawn.levels) <= 8
    assert len(drawn.releases) <= 16


def test_a_figure_is_described_for_those_who_do_not_see_it(past):
    for figure in tree(past()).iter("figure"):
        drawing = figure.find("svg")
        title = drawing.find("title")
        assert drawing.get("role") == "img"
        assert drawing.get("aria-labelledby") == title.get("id")
        assert "release 1: " in title.text
        assert len(figure.find(".//tbody")) == 4
    ids = re.findall(r' id="([^"]+)"', history_page.render(past()))
    assert len(set(ids)) == len(ids)


def test_the_page_asks_nothing_of_the_network_and_is_the_same_every_time(past):
    page = history_page.render(past())
    assert page == history_page.render(past())
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert "<script" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_are_text(past, language):
    page = history_page.render(past(HOSTILE), language)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    told = printed(past(HOSTILE))
    assert "\x1b" not in told
    assert max(map(len, told.splitlines())) <= 80


def test_every_axis_and_headline_has_words_in_both_languages(past):
    for language in LANGUAGES:
        said = words("history", language)
        for block in arrange(past(), said).blocks:
            assert block.title == said["axes"][block.axis]


def test_the_japanese_page_says_no_more_in_english_than_names(past):
    root = tree(past(), "ja")
    for style in root.iter("style"):
        style.text = ""
    said = [one for one in root.itertext() if re.search(r"\b[a-z]{3,} [a-z]{2,}|points| to ", one)]
    assert said == []


def test_reasons_are_numbered_and_name_the_releases_in_both_languages(past):
    for language, named in (("en", "4 (v4)"), ("ja", "4\uff08v4\uff09")):
        (reasons,) = tree(past(), language).xpath("//ol[@class='reasons']")
        told = ["".join(one.itertext()) for one in reasons]
        assert [one.partition(" ")[0] for one in told] == [f"[{number}]" for number in range(1, len(told) + 1)]
        assert any(named in one for one in told)


def test_a_reason_without_a_translation_is_marked_as_english():
    tell = history_page._teller("ja")
    told = tell("it <rained> here and snowed there", ("2 (b)",), "1 (a)")
    assert told == '<span lang="en">it &lt;rained&gt; in 2 (b) and snowed in 1 (a)</span>'
    told = tell("the axis cost is version 2 here and 1 in the baseline", ("<b>",), "<a>")
    assert "&lt;b&gt;" in told
    assert "&lt;a&gt;" in told
    assert "<" not in told


def test_settings_that_differ_are_told_one_by_one():
    told = history_page._teller("ja")(
        "the settings differ: a.x is 1 here and 2 there, a.y is not set here and 3 there", ("B",), "A"
    )
    assert re.findall(r"[A-Za-z.]+[^A-Za-z]*B[^A-Za-z]*A", told)
    assert "not set" not in told
