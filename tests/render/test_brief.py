"""The first screen: lights, what changed, what to do next and what to say, from any scorecard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from efficiency360.records import AxisRecord, AxisScore, Caveat, Interval, Measurement
from efficiency360.render import html
from efficiency360.render.brief import Speech
from efficiency360.render.language import speech, words
from efficiency360.render.text import title
from efficiency360.render.view import page
from efficiency360.render.wording import LANGUAGES
from efficiency360.spec import AuditSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from efficiency360.records import RuleResult, Scorecard
    from efficiency360.render.view import Page

    Card = Callable[..., Scorecard]
    Result = Callable[..., RuleResult]


def english(card: Scorecard) -> Page:
    return page(card, words("en"), None, Speech(words("en"), title, str))


def colours(card: Scorecard) -> dict[str, str]:
    return {light.axis.id: light.colour for light in english(card).lights}


def with_rules(card: Scorecard, *rules: RuleResult, outcome: str = "fail") -> Scorecard:
    verdict = card.verdict.model_copy(update={"rules": rules, "outcome": outcome})
    return card.model_copy(update={"verdict": verdict})


def of_accuracy(card_of: Card, accuracy_of: Callable[..., AxisRecord], **rule: Any) -> Scorecard:
    limits = {"id": "floor", "measurement": "accuracy.top1", "at_least": 0.8, "rationale": "People notice.", **rule}
    spec = AuditSpec.model_validate({"title": "T", "file": "t.toml", "axes": {"accuracy": {}}, "rules": [limits]})
    return card_of((accuracy_of(),), spec)


def attacked(card_of: Card, *left: tuple[float, float]) -> str:
    """What is said of robustness where one attack leaves these proportions at these radii, and a milder one more."""
    found = tuple(
        Measurement(
            name="robustness.adversarial_accuracy",
            value=value,
            unit="proportion",
            better="higher",
            params={"attack": attack, "eps": eps, "norm": "Linf"},
        )
        for attack, points in (("quick", left), ("other", ((0.5, 1.0),)))
        for eps, value in points
    )
    axis = AxisRecord(id="robustness", version=1, status="measured", measurements=found)
    return next(light.sentence for light in english(card_of((axis,))).lights if light.axis.id == "robustness")


def scored(card: Scorecard, **scores: tuple[float, str]) -> Scorecard:
    """The card with these scores, of axes that count as measured."""
    told = tuple(AxisScore(axis=axis, score=score, grade=grade) for axis, (score, grade) in scores.items())
    axes = tuple(AxisRecord(id=axis, version=1, status="measured", measurements=(NUMBER,)) for axis in scores)
    return card.model_copy(update={"scores": told, "axes": axes})


NUMBER = Measurement(name="x.y", value=1.0, unit="")


class TestLights:
    @pytest.mark.parametrize(
        ("limit", "severity", "colour"),
        [
            (0.8, "block", "good"),
            (0.95, "block", "bad"),
            (0.87, "block", "open"),
            (0.95, "warn", "open"),
            (0.95, "info", "plain"),
        ],
    )
    def test_a_light_goes_by_the_worst_rule_that_matters(
        self,
        card_of: Card,
        accuracy_of: Callable[..., AxisRecord],
        limit: float,
        severity: str,
        colour: str,
    ) -> None:
        card = of_accuracy(card_of, accuracy_of, at_least=limit, severity=severity)
        assert colours(card)["accuracy"] == colour

    def test_nothing_is_green_that_was_not_measured_or_has_no_rule(self, card_of: Card, cost: AxisRecord) -> None:
        failed = AxisRecord(id="speed", version=1, status="failed", reason="it broke")
        skipped = AxisRecord(id="privacy", version=1, status="skipped", reason="no member data was given")
        found = colours(card_of((cost, failed, skipped)))
        assert (found["speed"], found["privacy"], found["fairness"]) == ("failed", "unknown", "unknown")

    def test_a_critical_doubt_takes_the_green_away(self, card_of: Card, accuracy_of: Callable[..., AxisRecord]) -> None:
        card = of_accuracy(card_of, accuracy_of)
        doubt = Caveat(id="x", severity="critical", text="It rained.")
        axes = tuple(axis.model_copy(update={"caveats": (doubt,)}) for axis in card.axes)
        assert colours(card.model_copy(update={"axes": axes}))["accuracy"] == "open"

    def test_every_colour_has_a_shape_and_words_in_every_language(self) -> None:
        marks = html.fill("marks.svg")
        shapes = {}
        for colour in ("good", "bad", "open", "plain", "failed", "unknown"):
            shapes[colour] = marks.partition(f'id="m-{colour}"')[2].partition("</symbol>")[0]
            assert all(words(language)["light"]["state"][colour] for language in LANGUAGES)
        assert len(set(shapes.values())) == len(shapes)
        assert all(shapes.values())

    def test_the_sentence_is_about_the_rule_in_the_way(self, ruled: Scorecard) -> None:
        light = next(light for light in english(ruled).lights if light.axis.id == "accuracy")
        assert light.sentence == "Of the images of class owl it is right on 0.0\u00a0%."
        assert "at least 50.0\u00a0%" in light.limit

    @pytest.mark.parametrize(
        ("macs", "en", "ja"),
        [
            (398_679_872, "399\u00a0million", "3.99\u00a0億"),
            (6_063_552, "6.06\u00a0million", "606\u00a0万"),
            (950, "950", "950"),
        ],
    )
    def test_counts_are_said_as_people_say_them(self, card_of: Card, macs: int, en: str, ja: str) -> None:
        count = Measurement(name="cost.macs", value=macs, unit="MACs", better="lower")
        card = card_of((AxisRecord(id="cost", version=1, status="measured", measurements=(count,)),))
        for language, said in (("en", f"One image takes {en} multiply-adds."), ("ja", f"画像 1 枚に {ja}回の")):
            told = page(card, words(language), None, Speech(words(language), title, str)).lights  # type: ignore[arg-type]
            assert said in told[0].sentence

    def test_numbers_without_a_sentence_of_their_own_are_named(self, card_of: Card) -> None:
        strange = AxisRecord(
            id="acme", version=1, status="measured", measurements=(Measurement(name="acme.sway", value=3, unit="m"),)
        )
        light = next(light for light in english(card_of((strange,))).lights if light.axis.id == "acme")
        assert light.sentence == "Sway: 3\u00a0m."

    def test_attacks_are_told_at_the_smallest_and_the_largest_radius(self, card_of: Card) -> None:
        light = attacked(card_of, (0.031373, 0.08), (0.003922, 0.98), (0.015686, 0.4))
        assert light == (
            "Under deliberate attack it is still right on 98.0\u00a0% of the images at radius 1/255,"
            " on 8.0\u00a0% at radius 8/255."
        )

    def test_one_radius_is_told_alone(self, card_of: Card) -> None:
        assert attacked(card_of, (0.003922, 0.98)).startswith("Under deliberate attack (radius 1/255)")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_sentences_survive_params_that_are_not_ours(self, card_of: Card, language: Any) -> None:
        gap = Measurement(name="fairness.accuracy_gap", value=0.1, unit="proportion", params={"{value}": "{0}"})
        card = card_of((AxisRecord(id="fairness", version=1, status="measured", measurements=(gap,)),))
        assert "10.0" in html.render(card, language=language)


class TestNext:
    def test_what_fails_comes_first_and_what_is_unknown_last(self, ruled: Scorecard) -> None:
        told = [step.text for step in english(ruled).steps]
        assert told[0].startswith("Improve this")
        assert told[-1].startswith("Measure what is still unknown")
        kinds = [one.partition(":")[0].partition(" waiver")[0] for one in told]
        assert kinds.index("Mend this before the") > kinds.index("Measure this on more images")

    def test_it_says_how_many_images_would_decide(self, ruled: Scorecard) -> None:
        assert any("About 2,400 images instead of 120" in step.text for step in english(ruled).steps)

    def test_a_pass_is_released_first(self, sample_card: Scorecard) -> None:
        first = english(sample_card).steps[0]
        assert first.text.startswith("Release the model")
        assert first.command.startswith("e360 baseline accept")

    def test_a_failed_axis_and_a_doubt_are_things_to_do(self, card_of: Card, cost: AxisRecord) -> None:
        doubt = Caveat(id="x", severity="critical", text="It rained.")
        failed = AxisRecord(id="speed", version=1, status="failed", reason="it broke")
        told = english(card_of((cost.model_copy(update={"caveats": (doubt,)}), failed))).steps
        assert {"It rained.", "it broke"} <= {step.reason for step in told}


class TestSpoken:
    def test_three_sentences_in_every_language_whatever_the_outcome(
        self, ruled: Scorecard, sample_card: Scorecard, card_of: Card
    ) -> None:
        for card in (ruled, sample_card, card_of(())):
            for language in LANGUAGES:
                told = speech(language)
                spoken = page(card, words(language), None, Speech(words(language), told["title"], told["told"])).spoken
                assert len(spoken) == 3
                assert not any(re.search(r"[{}]", one) for one in spoken)
                assert all(one.endswith("。" if language == "ja" else ".") for one in spoken)

    def test_they_count_the_checks(self, ruled: Scorecard) -> None:
        first, _, last = english(ruled).spoken
        blocking = [rule for rule in ruled.verdict.rules if rule.severity == "block"]
        failing = sum(rule.outcome == "fail" and rule.stands_in_the_way for rule in blocking)
        assert f"of {len(blocking)} checks that can stop it, {failing} are proven to fail" in first
        assert "has to get better" in last

    def test_an_axis_of_grade_a_is_not_called_weak(self, sample_card: Scorecard) -> None:
        last = english(scored(sample_card, accuracy=(95.9, "A"), cost=(100, "A"))).spoken[2]
        assert "All 2 sides that were scored have grade A" in last
        assert "lowest is Accuracy, with 95.9 of 100 points" in last
        assert "the 9 without a score" in last

    def test_the_weakest_axis_below_an_a_is_named_as_such(self, sample_card: Scorecard) -> None:
        last = english(scored(sample_card, accuracy=(70, "C"), cost=(100, "A"))).spoken[2]
        assert "the weakest is Accuracy, with 70 of 100 points" in last

    def test_a_pass_by_waiver_says_so(self, sample_card: Scorecard, ruled: Scorecard) -> None:
        waived = next(rule for rule in ruled.verdict.rules if rule.rule == "waived-floor")
        card = with_rules(sample_card, *sample_card.verdict.rules, waived, outcome="pass")
        assert "by waiver only" in english(card).spoken[0]


class TestChanges:
    def test_comparisons_stand_worst_first_with_their_interval(self, ruled: Scorecard) -> None:
        told = english(ruled).changes
        assert [change.mark for change in told] == ["inconclusive", "inconclusive"]
        assert "1.2 points worse than the baseline's 67.9 % (0.3 to 2.1 points worse)" in told[0].how

    def test_without_a_baseline_nothing_is_said_of_changes(self, sample_card: Scorecard, ruled: Scorecard) -> None:
        assert 'id="changed"' not in html.render(sample_card)
        assert 'id="changed"' in html.render(ruled)


def test_the_score_says_why_the_grade_may_differ_from_the_verdict(sample_card: Scorecard) -> None:
    said = words("en")["overall"]["why"]
    apart = sample_card.model_copy(update={"overall": sample_card.overall.model_copy(update={"low": 45.0, "high": 99})})
    level = sample_card.model_copy(update={"overall": sample_card.overall.model_copy(update={"low": 95, "high": 95})})
    assert said in html.render(apart)
    assert said not in html.render(level)


def test_a_reason_does_not_count_all_of_all(card_of: Card, cost: AxisRecord) -> None:
    asked = {"at_most": 1e15, "severity": "block", "rationale": "People wait."}
    rows = [{"id": name, "measurement": name, **asked} for name in ("cost.params", "cost.macs")]
    audit = {"title": "Test", "file": "test.toml", "axes": {"cost": {}}, "rules": rows}
    card = card_of((cost,), AuditSpec.model_validate(audit))
    assert card.verdict.reasons == ("2 of 2 blocking checks passed",)
    assert english(card).reasons == ("All blocking checks passed (2)",)
    first, second = card.verdict.rules
    open_one = second.model_copy(update={"outcome": "inconclusive"})
    verdict = card.verdict.model_copy(update={"rules": (first, open_one), "reasons": ("1 of 2 passed",)})
    assert english(card.model_copy(update={"verdict": verdict})).reasons == ("1 of 2 passed",)


def test_business_is_left_to_whoever_worked_it_out(sample_card: Scorecard) -> None:
    assert english(sample_card).business is None
    assert words("en")["brief"]["no_business"][:12] in html.render(sample_card)


def test_intervals_and_limits_of_a_pass_are_on_the_first_screen(sample_card: Scorecard) -> None:
    kept = english(sample_card).kept
    assert any("80.0" in one.limit and one.value.startswith("87.0") for one in kept)


def test_tables_say_points_where_sentences_do(card_of: Callable[..., Scorecard], cost: AxisRecord) -> None:
    ends = Interval(low=0.04, high=0.12, level=0.95, method="newcombe")
    lost = Measurement(name="privacy.dp_cost", value=0.085, unit="", better="lower", n=200, interval=ends)
    of_all = lost.model_copy(update={"params": {"epsilon": 1.0, "method": "head"}})
    axis = AxisRecord(id="privacy", version=1, status="measured", measurements=(of_all,))
    page = html.render(card_of((cost, axis)))
    assert "costs 8.5 points of accuracy" in page
    assert '<td class="num">8.5 points</td>' in page
    assert '<td class="num">4 to 12 points' in page
