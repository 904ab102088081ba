"""The report speaks two languages: the same prose in both, and each page holds them side by side."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markupsafe import Markup

from efficiency360.business import Assumptions, Business, Gap, Yearly
from efficiency360.records import Caveat
from efficiency360.render import editions, html, report, text
from efficiency360.render.language import words
from efficiency360.render.wording import LANGUAGES
from efficiency360.scorecards import read_scorecard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from efficiency360.records import AxisRecord, Scorecard

ASSUMED = Assumptions(currency="JPY", images_per_day=10, utilisation=0.5, price_per_machine_hour=300)
REPORTS = Path(__file__).parents[2] / "reports"
SAME = {
    "dash",
    "pair",
    "axis.n",
    "charts.groups.n",
    "charts.latency.point",
    "charts.latency.quantile",
    "charts.resolution.size",
    "columns.n",
    "columns.gmacs",
    "columns.macs",
    "columns.flops",
    "columns.ssim",
    "columns.auc",
    "columns.tpr",
    "columns.fpr",
    "columns.ece",
    "robustness.heat.until",
    "robustness.gallery.times",
    "repeat.artifact_hash",
    "repeat.field_fingerprint",
    "next.release_command",
    "glossary.n.term",
}
"""Symbols, units, names and commands: what is the same in both languages."""
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def flat(prose: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in prose.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{key}.")
        elif isinstance(value, str):
            yield f"{path}{key}", value


def blanks(said: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", said))


def test_both_languages_have_the_same_keys_and_blanks() -> None:
    english, japanese = (dict(flat(words(language))) for language in LANGUAGES)
    assert english.keys() == japanese.keys()
    assert [key for key, said in english.items() if blanks(said) != blanks(japanese[key])] == []


def test_no_japanese_string_was_left_in_english() -> None:
    english, japanese = (dict(flat(words(language))) for language in LANGUAGES)
    same = {key for key, said in english.items() if japanese[key] == said}
    assert same <= SAME | {key for key, said in english.items() if not re.search("[A-Za-z]", said)}
    spelled = {key: re.sub(r"\{\w+\}", "", said) for key, said in japanese.items()}
    letters = {key for key, said in spelled.items() if re.search("[A-Za-z]{2}", said) and not JAPANESE.search(said)}
    assert letters <= SAME | {"lang", "unnamed"}


def test_the_glossaries_explain_the_same_terms() -> None:
    english, japanese = (words(language)["glossary"] for language in LANGUAGES)
    assert [entry["where"] for entry in english] == [entry["where"] for entry in japanese]
    for entry, other in zip(english, japanese, strict=True):
        assert JAPANESE.search(other["text"]), entry["term"]
        assert other["term"] != entry["term"] or entry["term"] == "n"


def test_every_measurement_that_has_a_name_is_explained() -> None:
    explained = {name for entry in words("en")["glossary"] for name in entry["where"]}
    assert set(text._WORDS) - explained == set()


class Tree(HTMLParser):
    """Ids, what points at them, and texts with the language around each."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.languages: list[str] = []
        self.ids: list[str] = []
        self.targets: set[str] = set()
        self.texts: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag not in {"meta", "link", "br", "img", "input"}:
            before = self.languages[-1] if self.languages else ""
            self.languages.append(found.get("lang", before))
            self.tags.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        pointers = [found.get("for", ""), found.get("href", "#").removeprefix("#")]
        self.targets |= {*pointers, *found.get("aria-labelledby", "").split()}

    def handle_endtag(self, _: str) -> None:
        self.languages.pop()
        self.tags.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"style", "title"} & set(self.tags):
            self.texts.append((self.languages[-1], " ".join(data.split())))


@pytest.fixture(scope="module")
def both(ruled: Scorecard) -> Tree:
    return Tree(report.render(ruled))


def test_ids_are_unique_and_links_stay_in_their_language(both: Tree, ruled: Scorecard) -> None:
    assert len(both.ids) == len(set(both.ids))
    assert both.targets - {"", "data:,"} <= set(both.ids)
    source = report.render(ruled)
    for language in LANGUAGES:
        body = source.partition(f'<div class="edition in in-{language}"')[2].partition("</main>")[0]
        body = body.partition('<div class="edition')[0]
        assert set(re.findall(r'href="#(?!m-)([a-z]+)-', body)) == {language}


def test_the_japanese_edition_says_nothing_in_english_that_is_not_marked(both: Tree) -> None:
    prose = re.compile(r"\b[a-z]{3,} [a-z]{2,} [a-z]{2,} [a-z]{2,}\b")
    ours = ("the reason for", "reaches across", "something was found", "breaks the", "keeps the", "new data come")
    said = [one for language, one in both.texts if language == "ja" and prose.search(one)]
    assert [one for one in said if not any(test in one for test in ours)] == []


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in REPORTS.glob("*/scorecard.json")), ids=lambda path: path.name
)
def test_kept_reports_are_japanese_throughout(folder: Path) -> None:
    told = Tree(html.render(read_scorecard(folder), language="ja"))
    said = [re.sub(r"\w+Error: .*", "", one) for language, one in told.texts if language == "ja"]
    prose = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{3,} [a-z]{2,}\b")
    names = {
        cell
        for axis in read_scorecard(folder).axes
        for one in axis.series
        for cells in one.columns.values()
        for cell in cells
    }
    assert [one for one in said if prose.search(one) and one not in names] == []
    assert [one for one in said if re.search(r"\d (points?|images/s|nats|s)\b", one)] == []


def test_what_has_no_translation_is_marked_as_english(card_of: Callable[..., Scorecard], cost: AxisRecord) -> None:
    strange = Caveat(
        id="acme.wet", severity="warning", text="Measured in the <b>rain</b>. Only 7 images: the intervals are wide."
    )
    card = card_of((cost.model_copy(update={"caveats": (strange,)}),))
    page = html.render(card, language="ja")
    assert '<span lang="en">Measured in the &lt;b&gt;rain&lt;/b&gt;.</span> 画像が 7 枚しかないため、' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_in_the_language_that_was_asked_for(sample_card: Scorecard, language: Any) -> None:
    page = report.render(sample_card, language=language)
    assert page.startswith(f'<!DOCTYPE html>\n<html lang="{language}">')
    assert re.findall(r'value="(\w+)" checked', page) == [language]
    assert words(language)["verdict"]["word"]["pass"] in page.partition("<title>")[2].partition("</title>")[0]


def test_one_language_has_no_switch(sample_card: Scorecard) -> None:
    page = html.render(sample_card, language="ja")
    assert "<input" not in page
    assert "PASS" not in page
    assert 'id="verdict"' in page


class TestEditions:
    def test_pointers_follow_ids_and_texts_do_not(self) -> None:
        body = Markup(
            '<p id="a">id=&#34;a&#34; url(#a)</p><a href="#a">x</a><a href="#m-pass">y</a>'
            '<svg aria-labelledby="a b" fill="url(#a)"></svg>'
        )
        assert editions.scoped(body, "ja") == (
            '<p id="ja-a">id=&#34;a&#34; url(#a)</p><a href="#ja-a">x</a><a href="#m-pass">y</a>'
            '<svg aria-labelledby="ja-a b" fill="url(#ja-a)"></svg>'
        )

    def test_a_picture_stands_on_the_page_once_however_often_it_is_shown(self) -> None:
        shown = Markup('<img src="data:image/png;base64,AAAA" width="4" height="3" alt="{}" class="pixels">')
        told = {language: shown.format(name) for language, name in {"en": "a cat", "ja": "猫"}.items()}
        bodies, pictures = editions.joined(told)
        assert pictures.count("data:image/png;base64,AAAA") == 1
        assert not any("base64" in body for body in bodies.values())
        (name,) = set(re.findall(r'<use href="#([\w-]+)"/>', "".join(bodies.values())))
        assert f'id="{name}"' in pictures
        assert 'aria-label="猫"' in bodies["ja"]

    def test_with_one_language_pictures_stay_where_they_are(self) -> None:
        told = {"en": Markup('<img src="data:image/png;base64,AAAA" width="4" height="3" alt="">')}
        assert editions.joined(told) == (told, Markup())


def test_what_the_costs_lack_is_told_in_japanese(sample_card: Scorecard) -> None:
    gap = Gap(what="energy", why="the audit file states no price_per_kwh")
    costs = Business(assumptions=ASSUMED, yearly=Yearly(), missing=(gap,), doubts=("It rained.",))
    card = sample_card.model_copy(update={"business": costs})
    assert "理由：監査ファイルに price_per_kwh の記載がありません。" in html.render(card, language="ja")
    assert "It rained." in html.render(card, language="ja")
    assert "states no price_per_kwh" in html.render(card, language="en")
