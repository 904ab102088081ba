"""Sentences of scorecards in Japanese: whole, complete, or left in English as a whole."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sentences

from efficiency360.engine.wall.plan import ALWAYS, EVERY_LAYER, OWN_NETWORK
from efficiency360.render import text
from efficiency360.render.language import speech
from efficiency360.render.translation import Catalogue, catalogue, entries
from efficiency360.spec import load_audit

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = sorted((Path(__file__).parents[2] / "reports").glob("*/scorecard.json"))
AUDITS = ("quick", "standard", "release", "server", "edge-camera")
ALIKE = {"SSIM", "JPEG", "MACs", "FLOPs"}
BLANK = re.compile(r"\{(\w+)(?::n|:s|:p|[!?*~]|)\}")
ENGLISH = re.compile(r"\b[a-z]{3,} [a-z]{2,} [a-z]{3,}\b")
COMPOSED = {
    "axes/accuracy.py",
    "axes/privacy/doubts.py",
    "axes/privacy/hygiene.py",
    "axes/privacy/membership.py",
    "axes/stretches.py",
    "axes/uncertainty.py",
}
"""Files in which some sentences have blanks that hold words of ours; `EXAMPLES` are how those come out."""
EXAMPLES = (
    "3 of 500 images could not be read (a.png, b.png); they are left out.",
    "3 of 500 images could not be read (a.png, ...); at most 1.0% may be (accuracy.max_unreadable)",
    "3 of 20 images of ood_data (noise/) could not be read; they are left out.",
    "3 of 20 images of ood_data (noise/) could not be read; at most 1.0% may be (uncertainty.max_unreadable)",
    "1 of 20 non-members are members byte for byte: they were trained on, and are left out of the attacks: a (as b).",
    "1 of 20 non-members are the same as a member, pixel for pixel, as the model gets them: a.png (as b.png).",
    (
        "With 90 non-members the true-positive rate is not measurable below 4.02% false positives: no non-"
        "member may lie"
        " above the threshold, so the interval would begin at 0 whatever the attack does. It takes 367 for "
        "1.0%, 3,688 for"
        " 0.1%."
    ),
    (
        "Without privacy means the same steps on the same images, clipped as well, which deep models need, "
        "but without"
        " noise: the cost is that of noise."
    ),
    (
        "asked again at the end, it gave another class to 3 of the first 16 images: its answers depend on "
        "what came"
        " before, or on chance"
    ),
    (
        "22 of 548 non-members look almost like a member (grey thumbnails of 16 x 16 correlate by 0.985 or "
        "more, as none of"
        " 124,750 pairs of different photographs do): a.png (as b.png), c.png (as d.png), ...."
    ),
    (
        "Epsilon holds for one training, at delta 0.000261, to add or remove one image; accountant: PRV. 100 "
        "steps take each"
        " of 382 images with probability 0.5; gradients are clipped to 1. How many images there are, and of "
        "which classes,"
        " is taken to be no secret. All settings were fixed beforehand, none was chosen by results, so no "
        "choice had to be"
        " paid for; with others, private accuracy may be better. Without privacy means the same steps on the "
        "same images,"
        " neither clipped nor noisy."
    ),
    (
        "While this was timed other processes used 60% of the processors, the model waited 20% of the time for a"
        " processor. On a quiet machine it may be faster."
    ),
    (
        "Groups differ by more than chance makes (p up to 0.05, corrected for 6 comparisons): accuracy by "
        "race, age_group;"
        " error rates by race."
    ),
)


def japanese() -> Catalogue:
    found = catalogue("ja")
    assert found is not None
    return found


@pytest.mark.parametrize(("pattern", "where"), sorted(sentences.patterns().items()))
def test_every_sentence_that_the_code_can_say_has_a_translation(pattern: str, where: str) -> None:
    told = any(japanese().whole(said) for said in sentences.filled(pattern))
    assert told or " " not in pattern or exemplified(pattern, where), f"{where}: {pattern!r}"


def exemplified(pattern: str, where: str) -> bool:
    """Whether an example says such a sentence with words in its blanks."""
    likeness = re.compile(".+".join(map(re.escape, pattern.split(sentences.BLANK))), re.DOTALL)
    return where.partition(":")[0] in COMPOSED and any(map(likeness.fullmatch, EXAMPLES))


@pytest.mark.parametrize("example", EXAMPLES)
def test_sentences_with_words_in_their_blanks_are_translated(example: str) -> None:
    assert japanese().whole(example)


def kept() -> Iterator[tuple[str, str]]:
    """Every sentence of the kept scorecards, with where it is."""
    for path in KEPT:
        card = json.loads(path.read_text(encoding="utf-8"))
        for said in of_card(card):
            yield path.parent.name, said


def of_card(card: dict[str, Any]) -> Iterator[str]:
    for holder in (card["subject"], card["dataset"] or {}, *card["axes"]):
        yield from (one["text"] for one in holder.get("caveats", ()))
        yield from (one["title"] for one in holder.get("series", ()))
        yield from (one["note"] for one in holder.get("measurements", ()) if one.get("note"))
        if holder.get("reason"):
            yield holder["reason"]
    yield from card["verdict"]["reasons"]
    for rule in card["verdict"]["rules"]:
        yield from (rule["reason"], rule["rationale"])
    yield from card["environment"]["isolation"]
    yield card["audit"]["title"]


def test_every_sentence_of_the_kept_scorecards_has_a_translation() -> None:
    assert [(where, said) for where, said in kept() if japanese().whole(said) is None] == []


def test_no_translation_is_half_english() -> None:
    told = (japanese().whole(said) or "" for _, said in kept())
    names = re.compile(r"\w+Error: .*|(?<=[a-z0-9])\{[^{}]*\}")  # of errors, and of measurements as programs know them
    assert [one for one in told if ENGLISH.search(names.sub("", one))] == []
    assert [one["to"] for one in entries("ja") if ENGLISH.search(one["to"])] == []


@pytest.mark.parametrize("name", AUDITS)
def test_the_shipped_audits_speak_japanese(name: str) -> None:
    spec = load_audit(name)
    said = [spec.title, *(rule.rationale for rule in spec.rules)]
    assert [one for one in said if japanese().whole(one) is None] == []


def test_names_of_measurements_layers_and_frameworks_are_translated() -> None:
    source = files("efficiency360.render").joinpath("governance.toml").read_text(encoding="utf-8")
    frameworks = tomllib.loads(source)["frameworks"]
    said = [*text._WORDS.values(), *ALWAYS, *EVERY_LAYER, OWN_NETWORK]
    said += [one["name"] for one in frameworks]
    said += [item[key] for one in frameworks for item in one["items"] for key in ("id", "asks")]
    said = [one for one in said if not re.fullmatch(r"MEASURE [\d.]+", one)]
    assert [one for one in said if japanese().whole(one) is None] == []


def test_an_entry_carries_every_blank_over_and_says_something_else() -> None:
    for one in entries("ja"):
        assert set(BLANK.findall(one["en"])) == set(re.findall(r"\{(\w+)\}", one["to"])), one["en"]
        assert one["en"] != one["to"] or one["en"] in ALIKE
    english = [one["en"] for one in entries("ja")]
    assert len(english) == len(set(english))


PARAMS = (
    ("", ""),
    (
        ", batch=1, dtype=float32, stat=p95, threads=1",
        "（バッチ=1、数値形式=float32、95 パーセンタイル、スレッド数=1）",
    ),
    (", attack=quick, eps=1/255, norm=Linf", "（攻撃=quick、半径=1/255、ノルム=Linf）"),
    (", class=cat, dog and owl, k=1", "（クラス=cat, dog and owl、k=1）"),
    (", attribute=image brightness, group=0.2 to 0.3", "（属性=画像の明るさ、群=0.2 to 0.3）"),
)
ENDS = (
    (" is 5.11 ms and keeps the limit, at most 1 s", "は 5.11 ms で、基準値（1 秒以下）を満たしています。"),
    (
        " is 5.11 ms (95 % interval 4.76 to 5.4 ms) and keeps the limit, at most 1 s",
        "は 5.11 ms（95 % 信頼区間 4.76～5.4 ms）で、基準値（1 秒以下）を満たしています。",
    ),
    (
        (
            " is 0.984 s (95 % interval 0.9 to 1.2 s) and is too uncertain to tell: the interval reaches across the"
            " limit, at most 1 s"
        ),
        "は 0.984 秒（95 % 信頼区間 0.9～1.2 秒）で、信頼区間が基準値（1 秒以下）をまたぐため、判定できません。",
    ),
    (
        (
            " is 85.2 %, 2.8 points worse than the baseline's 88.0 % (95 % interval 1.1 to 4.5 points worse), and"
            " breaks the margin, at most 1 point worse"
        ),
        (
            "は 85.2 %（ベースラインの 88.0 % に対して 2.8 ポイントの悪化、95 % 信頼区間 1.1～4.5 ポイントの悪化）で、"
            "許容幅（1 ポイント以内の悪化）を超えています。"
        ),
    ),
)


@pytest.mark.parametrize(("params", "named"), PARAMS)
@pytest.mark.parametrize(("end", "told"), ENDS)
@pytest.mark.parametrize("rule", ["", "rule answers-in-time: "])
def test_a_rules_sentence_is_translated_whole_whatever_its_params(
    rule: str, params: str, named: str, end: str, told: str
) -> None:
    said = japanese().whole(f"{rule}Latency{params}{end}")
    assert said == f"{'合格基準 answers-in-time：' if rule else ''}推論レイテンシ{named}{told}"


@pytest.mark.parametrize(("params", "_"), PARAMS)
@pytest.mark.parametrize(
    "end",
    [
        " is 5.11 furlongs and keeps the limit, at most 9 furlongs",
        " is 5.11 ms (95 % interval 4.76 to 5.4 ms) and keeps the limit, at most 1 s, says somebody",
        " is 5.11 ms (95 % interval 4.76 to 5.4 ms) and pleases everybody, at most 1 s",
    ],
)
def test_a_sentence_that_is_none_of_ours_stays_english_as_a_whole(params: str, _: str, end: str) -> None:
    said = f"Latency{params}{end}"
    assert [(piece.text, piece.foreign) for piece in japanese().pieces(said)] == [(said, True)]


@pytest.mark.parametrize("said", ["class owls is what was left out", "the weather was taken from the sky and is fine"])
def test_names_in_short_phrases_are_no_clauses(said: str) -> None:
    assert japanese().whole(said) is None


def test_numbers_have_a_blank_before_their_unit_and_units_are_said_in_words() -> None:
    assert japanese().whole("Intervals allow 5% for drift between audits of one machine (speed.allowance).") == (
        "信頼区間には、同じ機械での測定間のばらつきとして 5 % を見込んでいます（speed.allowance）。"
    )
    assert japanese().whole("order statistics and 0.05 for drift") == "順序統計量（測定間のばらつき 5 % を見込む）"
    assert japanese().whole("800 to 905 images/s") == "800～905 枚/秒"
    assert japanese().whole("1.5 s") == "1.5 秒"


class TestMatching:
    catalogue = Catalogue(
        [
            ("rule {id}: {said!}", "規則 {id}：{said}"),
            ("{what!} is {value:n} and keeps the limit", "{what}は {value} で限界値を満たしています。"),
            ("{said!}, but is in doubt: {doubt!}", "{said}疑い：{doubt}"),
            ("Only {n:n} images.", "画像は {n} 枚だけです。"),
            ("The intervals are wide.", "区間が広くなっています。"),
            ("Accuracy", "正解率"),
            ("{a!}, {params:p}", "{a}（{params}）"),
            ("Left out: {names*}.", "除外：{names}。"),
        ]
    )

    def test_names_and_numbers_are_carried_over(self) -> None:
        assert self.catalogue.whole("Only seven images.") is None
        told = self.catalogue.whole("rule floor: Accuracy is 87.0 % and keeps the limit")
        assert told == "規則 floor：正解率は 87.0 % で限界値を満たしています。"

    def test_sentences_are_translated_one_by_one_and_what_is_unknown_stays_as_it_is(self) -> None:
        pieces = self.catalogue.pieces("Only 7 images. It rained. The intervals are wide.")
        assert [(piece.text, piece.foreign) for piece in pieces] == [
            ("画像は 7 枚だけです。", False),
            ("It rained.", True),
            ("区間が広くなっています。", False),
        ]

    def test_a_sentence_is_english_as_a_whole_where_a_part_of_it_is_unknown(self) -> None:
        said = "Accuracy is 87.0 % and keeps the limit, but is in doubt: It rained."
        assert [(piece.text, piece.foreign) for piece in self.catalogue.pieces(said)] == [(said, True)]
        assert self.catalogue.whole("Sway is 3 and keeps the limit") is None

    def test_a_doubt_may_be_several_sentences(self) -> None:
        said = "Accuracy is 87.0 % and keeps the limit, but is in doubt: Only 7 images. The intervals are wide."
        assert self.catalogue.whole(said) == (
            "正解率は 87.0 % で限界値を満たしています。疑い：画像は 7 枚だけです。区間が広くなっています。"
        )

    def test_what_says_most_is_tried_first(self) -> None:
        said = "Accuracy, class=cat is 87.0 % and keeps the limit"
        assert self.catalogue.whole(said) == "正解率（class=cat）は 87.0 % で限界値を満たしています。"
        assert self.catalogue.whole(said + " of somebody else") is None

    def test_params_are_not_words(self) -> None:
        assert self.catalogue.whole("Accuracy, class=cat, k=1") == "正解率（class=cat、k=1）"
        assert self.catalogue.whole("Accuracy, as everybody knows") is None

    def test_lists_are_joined_as_japanese_does(self) -> None:
        assert self.catalogue.whole("Left out: snow, fog and Accuracy.") == "除外：snow、fog、正解率。"

    @pytest.mark.parametrize("said", ["", "   ", "x" * 100_000, "a. " * 500, "rule a: " * 300, "{said!}", ", " * 900])
    def test_it_copes_with_anything(self, said: str) -> None:
        assert "".join(piece.text for piece in self.catalogue.pieces(said)) == said.strip()
        assert japanese().whole(said) in {None, ""}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("at most 10 points", "10 ポイント以下"),
        ("at most 1 point", "1 ポイント以下"),
        ("-2.44 to 3.93 points", "-2.44～3.93 ポイント"),
        ("at most 5 points worse than the baseline", "ベースラインに対して 5 ポイント以内の悪化"),
    ],
)
def test_points_are_a_unit_like_any_other(said: str, told: str) -> None:
    assert speech("ja")["told"](said) == told


def test_what_is_noted_beside_a_limit_stands_after_the_sentence_and_groups_of_ours_are_translated() -> None:
    said = (
        "fairness.accuracy_gap{attribute=age} is 6.8 points (95 % interval 0 to 17.7 points) and keeps the limit,"
        " at most 20 points; worst below 1 with 84.3 % (78.4 % to 88.9 %, 185 images),"
        " best 1.469 and up with 91.1 % (84.8 % to 95.0 %, 124 images)"
    )
    told = speech("ja")["told"](said)
    assert "基準値（20 ポイント以下）を満たしています。補足：最低は「1 未満」の 84.3 %" in told
    assert "最高は「1.469 以上」の 91.1 %" in told


def test_names_of_groups_from_outside_stay_as_they_are() -> None:
    groups = "image brightness 4 of 4, men or women 1 of 2"
    said = f"Groups with fewer than 30 attacked images are shown, not judged: {groups}."
    assert speech("ja")["told"](said).endswith("：画像の明るさ（4 群中 4 群）、men or women（2 群中 1 群）。")
    said = (
        "The subgroup that fares worst is image contrast=0.25 and up, sex=f:"
        " 70.6 % right of 51 images (p = 0.047 for the whole search)."
    )
    assert "「画像のコントラスト=0.25 以上、sex=f」" in speech("ja")["told"](said)
