"""The page of a search: the same in two languages, nothing half translated, nothing hostile."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import searches
from lxml import etree

import efficiency360
from efficiency360.render import search_page
from efficiency360.render.wording import LANGUAGES, words

REPLAY = json.loads((Path(efficiency360.__file__).parent / "search" / "replay.json").read_text(encoding="utf-8"))
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e=1+1" + "x" * 10_000
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b|\b(?:to|of|at|and|ms an)\b|->")
NAMES = re.compile(r"e360 search|--\w+ \w+|--\w+|successive halving")


def visible(page: str) -> list[str]:
    """Texts of a page, and what is told to those who do not see it, but for the constraints as they are in the file."""
    root = etree.fromstring(page.encode(), etree.HTMLParser())
    for hidden in [*root.iter("style"), *root.iter("pre")]:
        hidden.text = ""
    said = [text.strip() for text in root.itertext() if text.strip()]
    return said + [value for one in root.iter() for value in (one.get("aria-label"),) if value]


def english(page: str) -> list[str]:
    return [text for text in visible(page) if ENGLISH.search(NAMES.sub("", text))]


def test_the_japanese_page_says_no_more_in_english_than_names():
    for result in (searches.found(), searches.found(front=(), nearest=searches.MISSED)):
        page = search_page.render(result, REPLAY, "ja")
        assert '<html lang="ja">' in page
        assert 'lang="en"' not in page
        assert english(page) == []
        assert len(english(search_page.render(result, REPLAY))) > 20  # the same look finds English where there is some


@pytest.mark.parametrize(
    "told",
    [
        "0 の正解率（クラス平均）は、学習にも選択にも使っていない画像で 75.0 %（69.0～80.0 %）です",
        "正解率 75.0 %（69.0～80.0 %）は、最も多いクラスを常に答える場合の 70.0 % を確実に上回るとは言えません。",
        "2 エポック後の正解率 61.5 %、同じ段階の 9 個中 3 位",
        "推論レイテンシが基準値の 1.3 倍で、その 61 % をステージ 2 が占める（ステージ 2 の幅：16 → 8）",
        "推論レイテンシの 95 パーセンタイルが基準値を 12 % 超過",
        "ステージ 1 の注意機構：ユニット内 → 全トークン間",
        "正解率 65.2 %、0.267 ms。m001 は正解率、速さとも同等以上（正解率 73.2 %、0.262 ms）",
        "正解率 45.0 %。推論レイテンシの 95 パーセンタイルの基準値を 12 % の差で満たさない",
        "予測値 90.0 % ± 2.0 %（パレートフロントでは 73.0 %）",
        "この機械では測定できません（プロセッサの電力計が応答せず、NVIDIA の GPU もありません）",
        "part_id、day の値が同じ画像は、同じ用途にまとめています",
        "1 ブロック、幅 8、16 トークン、4 ユニット内、ヘッド 1、MLP",
        "+0.20～+0.57",
        "ステージ 2 のプーリング",
        "推論レイテンシの 95 パーセンタイル（上限）：100 ms",
    ],
)
def test_what_a_search_found_is_told_in_japanese_with_its_numbers(told):
    assert any(told in text for text in visible(search_page.render(searches.found(), REPLAY, "ja")))


def test_where_nothing_was_found_the_nearest_point_is_told_with_its_architecture():
    page = search_page.render(searches.found(front=(), nearest=searches.MISSED), {}, "ja")
    lead = next(text for text in visible(page) if "limits.accuracy = 0.9" in text)
    assert (
        "m001（正解率=0.812、積和演算数=2.44e+04、推論レイテンシの 95 パーセンタイル=0.41 ms、メモリ=0.0181 MB）"
        in lead
    )
    assert (
        "入力サイズ=8、パッチの大きさ=2、ステージ数=1、ステージ 1 の注意機構=ユニット内、ステージ 2 のプーリング=なし。"
        in lead
    )


def test_both_pages_hold_the_same_numbers_in_the_same_tables():
    pages = [
        etree.fromstring(search_page.render(searches.found(), REPLAY, one).encode(), etree.HTMLParser())
        for one in LANGUAGES
    ]
    shapes = [[[len(row) for row in table.iter("tr")] for table in page.iter("table")] for page in pages]
    assert shapes[0] == shapes[1]
    bare = [
        [re.findall(r"\d+(?:\.\d+)?", "".join(cell.itertext())) for cell in page.xpath("//table[@class='models']//td")]
        for page in pages
    ]
    assert bare[0] == bare[1]
    assert any(bare[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_the_same_every_time_also_from_its_file(language):
    result = searches.found()
    kept = type(result).model_validate_json(result.model_dump_json(indent=1))
    assert search_page.render(kept, REPLAY, language) == search_page.render(result, REPLAY, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_texts_are_text(language):
    safe = searches.found()
    said = {"origin": HOSTILE, "reason": HOSTILE, "why": HOSTILE}
    result = searches.found(
        title=HOSTILE,
        data=HOSTILE,
        together=(HOSTILE,),
        classes=(HOSTILE, "x"),
        machine=safe.machine.model_copy(update={"cpu": HOSTILE, "versions": {HOSTILE: HOSTILE}}),
        cost=safe.cost.model_copy(update={"energy_missing": HOSTILE}),
        candidates=tuple(one.model_copy(update=said) for one in safe.candidates),
        neighbours=tuple(one.model_copy(update={"change": HOSTILE, "why": HOSTILE}) for one in safe.neighbours),
        importance={"accuracy": {HOSTILE: 0.5}},
        constraints={"limits": {}, "title": HOSTILE},
    )
    for one in (result, result.model_copy(update={"front": (), "nearest": HOSTILE})):
        page = search_page.render(one, REPLAY, language)
        assert "<script" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page


def test_a_sentence_without_a_translation_is_marked_as_english():
    one = searches.found().candidates[0].model_copy(update={"why": "it rained <b>"})
    page = search_page.render(searches.found(candidates=(one, searches.candidate(1))), REPLAY, "ja")
    assert '<td><span lang="en">it rained &lt;b&gt;</span></td>' in page


def test_a_title_that_was_not_given_is_ours_and_any_other_stays():
    assert "アーキテクチャ探索" in search_page.render(searches.found(title="Architecture search"), {}, "ja")
    assert '<p class="title">size</p>' in search_page.render(searches.found(title="size"), {}, "ja")


def test_all_names_that_a_search_gives_have_words():
    for language in LANGUAGES:
        said = words("search", language)
        assert said["limit"].keys() == {"accuracy", "latency_p95_ms", "macs", "params", "memory_mb"}
        assert set(REPLAY["hypervolume"]) <= said["strategies"].keys()


@pytest.mark.parametrize(("guessing", "outcome"), [(0.7, "inconclusive"), (0.6, "pass")])
def test_a_model_that_may_be_no_better_than_one_answer_is_no_success(guessing, outcome):
    result = searches.found().model_copy(update={"guessing": guessing})
    kept = {**result.constraints, "limits": {"params": 1e9}}
    page = search_page.render(result.model_copy(update={"constraints": kept}))
    headline = "A model was found" if outcome == "pass" else "A model keeps to the limits, but may have learned nothing"
    assert f'<h1 class="{outcome}">{headline}</h1>' in page
    assert ("is not surely above 70.0 %" in page) == (outcome == "inconclusive")
