"""The report in a browser: nothing is fetched, nothing runs over the edge, all can be reached by keyboard."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    Open = Callable[..., Page]

ALL = ("digits-demo", "efficientnet-lite0", "failing", "hostile", "nothing")
LANGUAGES = ("en", "ja")
OVER_THE_EDGE = """() => {
  const wide = [...document.querySelectorAll('body *')].filter(one => {
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || box.right <= innerWidth + 1) return false;
    for (let up = one; up && up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (['auto', 'scroll', 'hidden'].includes(style.overflowX) || style.position === 'absolute') return false;
    }
    return true;
  });
  return wide.slice(0, 5).map(one => `${one.tagName}.${one.getAttribute('class')}: ${one.textContent.slice(0, 40)}`);
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  return one.id || one.getAttribute('href') || one.getAttribute('aria-label') || one.tagName;
}"""
LOUD = {"moderate", "serious", "critical"}


def tab_to(page: Page, wanted: str, most: int = 40) -> None:
    """Press Tab until an element has the focus, as somebody without a mouse does."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == wanted:
            return
    pytest.fail(f"{wanted} cannot be reached by Tab")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_runs_over_the_edge(show: Open, name: str, width: int) -> None:
    page = show(name, width)
    for language in LANGUAGES:
        page.check(f"#language-{language}", force=True)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, language
        assert page.evaluate(OVER_THE_EDGE) == [], language


def test_the_language_is_switched_by_keyboard(show: Open) -> None:
    page = show("digits-demo")
    assert page.locator("h1:visible").inner_text().startswith("PASS")
    tab_to(page, "language-en")
    assert page.evaluate("getComputedStyle(document.activeElement.nextElementSibling).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    assert page.locator("h1:visible").inner_text().startswith("合格")
    assert page.locator("h1:visible").count() == 1
    assert not page.locator("#en-rules").is_visible()
    page.keyboard.press("ArrowLeft")
    assert page.locator("h1:visible").inner_text().startswith("PASS")


def test_the_first_stop_leads_past_the_navigation(show: Open) -> None:
    page = show("digits-demo", 360)
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "#en-verdict"
    assert page.locator(".skip:visible").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#en-verdict"


@pytest.mark.parametrize("language", LANGUAGES)
def test_anchors_lead_where_they_say_by_keyboard(show: Open, language: str) -> None:
    page = show("digits-demo", language=language)
    links = page.locator(".contents:visible a")
    assert links.count() >= 6
    for index in range(links.count()):
        target = links.nth(index).get_attribute("href") or ""
        page.evaluate("scrollTo(0, 0)")
        links.nth(index).focus()
        page.keyboard.press("Enter")
        box = page.locator(target).bounding_box()
        assert box is not None
        assert box["y"] < 800, target


@pytest.mark.parametrize("name", ["digits-demo", "efficientnet-lite0", "nothing"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_worth_a_word(show: Open, axe: str, name: str, theme: str, language: str) -> None:
    page = show(name, theme=theme, language=language)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(result => result.violations)")
    loud = [
        (one["id"], [node["html"][:120] for node in one["nodes"][:3]], one["nodes"][0]["failureSummary"][:300])
        for one in found
        if one["impact"] in LOUD
    ]
    assert loud == []


def test_hostile_names_stay_text(show: Open) -> None:
    page = show("hostile")
    assert page.locator("script").count() == 0
    assert page.locator("img").count() == 0
    assert page.locator("main b", has_text="script").count() == 0
    assert "<script>alert(1)</script>" in page.locator("main").inner_text()
    for where in (".reasons li", "h1 span", "td", ".facts dd"):
        one = page.locator(f".in-en {where}").first
        assert one.evaluate("one => getComputedStyle(one).unicodeBidi") in {"isolate", "plaintext"}, where


def test_a_name_without_an_end_leaves_the_verdict_on_the_first_screen(show: Open) -> None:
    page = show("hostile")
    for part, most in (("why", 400), ("next", 1300), ("engineers", 2600)):
        box = page.locator(f"#en-{part}").bounding_box()
        assert box is not None
        assert box["y"] < most, part


@pytest.mark.parametrize("width", [1280])
def test_the_first_screen_answers_the_four_questions(show: Open, width: int) -> None:
    page = show("digits-demo", width, 800)
    for language in LANGUAGES:
        page.check(f"#language-{language}", force=True)
        for part in ("verdict", "why", "next", "cost", "spoken", "wheel"):
            box = page.locator(f"#{language}-{part}").bounding_box()
            assert box is not None
            assert box["y"] + min(box["height"], 60) <= 800, part


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (768, 1024)])
def test_a_failing_report_begins_with_its_reasons_and_what_to_do(show: Open, width: int, height: int) -> None:
    page = show("failing", width, height)
    for language in LANGUAGES:
        page.check(f"#language-{language}", force=True)
        tops = {part: page.locator(f"#{language}-{part}").bounding_box() for part in ("why", "next", "changed")}
        reasons = page.locator(f"#{language}-why").bounding_box()
        assert reasons is not None
        assert reasons["y"] + reasons["height"] <= height
        assert all(box is not None for box in tops.values())
        assert [part for part, _ in sorted(tops.items(), key=lambda one: one[1]["y"])] == ["why", "next", "changed"]  # type: ignore[index]
        assert tops["next"]["y"] + 60 <= height  # type: ignore[index]


def test_print_shows_the_chosen_language_without_navigation(show: Open) -> None:
    page = show("digits-demo", language="ja")
    page.emulate_media(media="print")
    assert page.locator("h1:visible").inner_text().startswith("合格")
    for what in (".contents", ".languages", ".skip"):
        assert page.locator(f"{what}:visible").count() == 0, what


def test_headings_go_down_one_step_at_a_time(show: Open) -> None:
    page = show("efficientnet-lite0")
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].filter(h => h.offsetParent).map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_wide_tables_scroll_within_a_named_region(show: Open) -> None:
    page = show("efficientnet-lite0", 360)
    regions = page.locator(".in-en .scroll")
    assert regions.count() > 3
    for index in range(regions.count()):
        assert regions.nth(index).get_attribute("tabindex") == "0"
        assert regions.nth(index).get_attribute("aria-label")


def test_a_page_is_small(pages: dict[str, Path]) -> None:
    for name in ("digits-demo", "efficientnet-lite0"):
        assert pages[name].stat().st_size < 1_000_000
