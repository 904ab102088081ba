"""The terminal shows a scorecard in 80 columns, no colour where there is none, and nothing that a name slips in."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from rich.cells import cell_len
from rich.console import Console

from efficiency360.judge import judge
from efficiency360.records import AxisRecord, Caveat, Comparison, Interval, Measurement
from efficiency360.render import text
from efficiency360.render.terminal import show, show_verdict
from efficiency360.render.text import plain
from efficiency360.spec import parse_audit

HOSTILE = [
    "[bold red]cat[/] [link=https://evil.example]x[/link] :smile:",
    "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07here\x1b]8;;\x07",
    "two\nlines\r\nand\x0b more\x85\u2028\u2029",
    "right\u202eot\u202c left \u2066x\u2069 \u200b\u200f",
    "[/]",
    "\x00\x07\x08\x7f\x9b31m",
    "x" * 200,
    "犬" * 100,
    "e\u0301" * 50,
]


def screen(card, width: int = 80, *, verdict_only: bool = False, **options) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    show_verdict(card.verdict, console) if verdict_only else show(card, console)
    return console.file.getvalue()


def widest(text: str) -> int:
    return max(cell_len(line) for line in text.splitlines())


@pytest.fixture(scope="module")
def hostile_card(card_of, accuracy_of, cost):
    """Every text that comes from outside is hostile."""
    caveat = Caveat(id="x", severity="critical", text=" ".join(HOSTILE))
    accuracy = accuracy_of(HOSTILE, n=3, right=14)
    failed = AxisRecord(id="speed", version=1, status="failed", reason=" ".join(HOSTILE))
    rules = [
        {"id": name, "measurement": "accuracy.per_class", "at_least": 0.5, "rationale": name, "params": {"class": name}}
        for name in HOSTILE
    ]
    audit = parse_audit({"title": HOSTILE[0], "axes": {"accuracy": {}, "speed": {}}, "rules": rules}, HOSTILE[1])
    axes = (cost, accuracy.model_copy(update={"caveats": (caveat,)}), failed)
    return card_of(axes, audit, name=HOSTILE[1] + HOSTILE[0], caveats=(caveat,))


class TestWidth:
    @pytest.mark.parametrize("verdict_only", [False, True])
    def test_an_ordinary_scorecard_fits_80_columns(self, sample_card, verdict_only):
        assert widest(screen(sample_card, verdict_only=verdict_only)) <= 80

    @pytest.mark.parametrize("verdict_only", [False, True])
    @pytest.mark.parametrize("width", [40, 80, 200])
    def test_long_and_wide_names_are_folded_into_it(self, hostile_card, width, verdict_only):
        assert widest(screen(hostile_card, width, verdict_only=verdict_only)) <= width

    def test_numbers_are_never_folded_at_80_columns(self, hostile_card):
        assert re.search(r"55\.6 %\s+37\.3 to 72\.4\s", screen(hostile_card))


class TestHostileText:
    @pytest.mark.parametrize("verdict_only", [False, True])
    def test_no_control_character_reaches_the_terminal(self, hostile_card, verdict_only):
        said = screen(hostile_card, verdict_only=verdict_only)
        assert {char for char in said if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}} == {"\n"}
        assert "\N{REPLACEMENT CHARACTER}" in said

    @pytest.mark.parametrize("verdict_only", [False, True])
    def test_markup_is_shown_and_not_obeyed(self, hostile_card, verdict_only):
        said = screen(hostile_card, verdict_only=verdict_only)
        for word in ("[bold red]", "[/]", "[link=", ":smile:"):
            assert word in said.replace("\n", "")

    def test_a_colourful_terminal_gets_no_style_and_no_link_from_a_name(self, hostile_card):
        said = screen(hostile_card, 400, force_terminal=True, color_system="truecolor")
        assert "\x1b]8" not in said
        assert "\x1b[31mred" not in said
        assert "\x1b[1;31mcat" not in said

    def test_a_unit_from_a_file_is_not_obeyed_either(self, card_of):
        interval = Interval(low=1, high=2, level=0.9, method="x")
        odd = Measurement(name="odd.number", value=1.5, unit="[red]s[/red]", interval=interval)
        said = screen(card_of((AxisRecord(id="odd", version=1, status="measured", measurements=(odd,)),)))
        assert "1.5 [red]s[/red]" in said

    @pytest.mark.parametrize("char", ["\x1b", "\n", "\x9b", "\u202e", "\u200b", "\u2028", "\u2029", "\ud800"])
    def test_what_a_reader_cannot_see_is_made_visible(self, char):
        assert plain(f"a{char}b") == "a\N{REPLACEMENT CHARACTER}b"

    def test_what_a_reader_can_see_is_left_alone(self):
        text = "Ünïcode 犬 [x] \N{PILE OF POO} é"
        assert plain(text) == text


class TestColour:
    def test_there_is_none_where_there_is_no_terminal(self, sample_card):
        assert "\x1b" not in screen(sample_card)

    def test_there_is_some_in_a_terminal(self, sample_card):
        assert "\x1b[1;32mPASS" in screen(sample_card, force_terminal=True, color_system="standard")

    def test_the_words_are_the_same_with_and_without(self, sample_card):
        coloured = screen(sample_card, force_terminal=True, color_system="standard")
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == screen(sample_card)


class TestContent:
    def test_verdict_score_and_numbers_are_there(self, sample_card):
        said = screen(sample_card)
        assert "PASS  4 of 4 blocking checks passed" in said
        assert re.search(r"Top-1 accuracy\s+87\.0 %\s+83\.8 to 89\.7\s+at least 80\.0 %: pass", said)
        assert re.search(r"^cost  71\.\d of 100, C$", said, re.MULTILINE)

    def test_the_overall_range_stands_beside_how_much_was_measured(self, sample_card):
        overall = sample_card.overall
        assert (
            f"overall {overall.low} to {overall.high} of 100, grade E (by the low end); 2 of 11 axes measured"
            in screen(sample_card)
        )

    def test_a_plugin_does_not_count_as_one_of_the_eleven(self, card_of, cost):
        number = Measurement(name="plugin.y", value=1, unit="")
        plugin = AxisRecord(id="plugin", version=1, status="measured", measurements=(number,))
        assert "1 of 11 axes measured" in screen(card_of((cost, plugin)))

    def test_of_many_classes_only_the_worst_is_shown_with_their_number(self, card_of, accuracy_of):
        names = [f"class {index}" for index in range(10)]
        said = screen(card_of((accuracy_of(names, n=10, right=70),)))
        assert "(worst" in said
        assert "of 10: class=class 7)" in said
        assert "class=class 3" not in said

    def test_the_worst_is_the_largest_where_less_is_better(self, card_of):
        numbers = tuple(
            Measurement(name="speed.ms", value=value, unit="ms", better="lower", params={"batch": value})
            for value in (1, 8, 4, 2)
        )
        said = screen(card_of((AxisRecord(id="speed", version=1, status="measured", measurements=numbers),)))
        assert "(worst of 4: batch=8)" in re.sub(r"\s+", " ", said)

    def test_a_skipped_and_a_failed_axis_say_why(self, card_of):
        axes = [AxisRecord(id=status, version=1, status=status, reason="no sensor") for status in ("skipped", "failed")]
        said = screen(card_of(tuple(axes)))
        assert "skipped  skipped: no sensor" in said
        assert "failed  failed: no sensor" in said

    def test_every_caveat_is_shown_with_its_weight(self, card_of, cost):
        said = screen(card_of((cost,), caveats=(Caveat(id="x", severity="critical", text="Gradients are masked."),)))
        assert "!! Gradients are masked." in said
        assert "i  One multiply-add is one MAC and two FLOPs; one image." in said
        assert "!  Images may come from the training set" in said

    @pytest.mark.parametrize(("levels", "heading"), [([0.95, 0.95], "95 % interval"), ([0.9], "90 % interval")])
    def test_the_heading_says_how_sure_the_intervals_are(self, card_of, levels, heading):
        assert heading in screen(card_of((self.axis_at(levels),)))

    def test_the_heading_does_not_lie_about_mixed_intervals(self, card_of):
        assert "% interval" not in screen(card_of((self.axis_at([0.9, 0.95]),)))

    def axis_at(self, levels: list[float]) -> AxisRecord:
        numbers = tuple(
            Measurement(
                name=f"x.y{index}", value=1, unit="", interval=Interval(low=0, high=2, level=level, method="wilson")
            )
            for index, level in enumerate(levels)
        )
        return AxisRecord(id="x", version=1, status="measured", measurements=numbers)

    def test_the_verdict_alone_lists_every_rule_with_its_reason(self, sample_card):
        said = re.sub(r"\s+", " ", screen(sample_card, 200, verdict_only=True))
        for rule in sample_card.verdict.rules:
            assert rule.rule in said
            assert rule.reason in said
        assert "(only warns)" not in said

    @pytest.mark.parametrize(("limit", "word"), [(0.8, "PASS"), (0.85, "INCONCLUSIVE"), (0.95, "FAIL")])
    def test_each_outcome_has_its_word(self, card_of, accuracy_of, limit, word):
        rule = {"id": "floor", "measurement": "accuracy.top1", "at_least": limit, "rationale": "why"}
        audit = parse_audit({"title": "Gate", "axes": {"accuracy": {}}, "rules": [rule]}, "gate.toml")
        card = card_of((accuracy_of(),), audit)
        assert judge(audit, card.axes).verdict == card.verdict
        assert re.search(rf"^{word}  ", screen(card), re.MULTILINE)


class TestComparisonsAndWaivers:
    def test_a_comparison_stands_beside_its_number_with_the_margin(self, ruled):
        said = " ".join(screen(ruled, 300).split())
        assert (
            "1.2 points worse than the baseline's 67.9 % (0.3 to 2.1 points worse), allowed 1 point: inconclusive"
            in said
        )
        assert "5.04 % worse than the baseline's 11.9 ms (1.2 to 9.1 % worse), allowed 5 %: inconclusive" in said

    @pytest.mark.parametrize("verdict_only", [False, True])
    def test_the_baseline_is_named_with_who_accepted_it(self, ruled, verdict_only):
        said = " ".join(screen(ruled, verdict_only=verdict_only).split())
        assert (
            "compared with efficientnet-lite0-2026-02, audited on 2026-02-01;"
            " accepted by Ada Lovelace on 2026-02-03: first release" in said
        )

    def test_a_waived_failure_is_shown_as_failing_and_waived(self, ruled):
        said = screen(ruled, 200, verdict_only=True)
        row = next(line for line in said.splitlines() if "waived-floor" in line)
        assert re.search(r"waived-floor\s+fail, waived\s+breaks the limit of 90 %", row)
        assert "waived until 2027-03-31 by Jane Doe: new data come in March" in said

    def test_an_expired_waiver_is_said_to_have_expired_and_forgives_nothing(self, ruled):
        said = screen(ruled, 200, verdict_only=True)
        assert re.search(r"waived-once\s+fail\s+breaks", said)
        assert "the waiver by Jane Doe expired on 2026-01-31; its reason was: new data come in March" in said

    def test_a_waiver_of_a_rule_that_passes_is_said_not_to_be_needed(self, ruled, result_of):
        waiver = next(rule.waiver for rule in ruled.verdict.rules if rule.waiver)
        said = rules_of(ruled, result_of("kept", outcome="pass", waiver=waiver))
        assert "waiver not needed any more (by Jane Doe, until 2027-03-31)" in said
        assert "waived until" not in said

    @pytest.mark.parametrize("verdict_only", [False, True])
    def test_it_fits_80_columns(self, ruled, verdict_only):
        assert widest(screen(ruled, verdict_only=verdict_only)) <= 80

    def test_a_number_judged_by_two_intervals_says_that_it_may_be_wider_than_need_be(self, result_of):
        for name, unit, said in (("uncertainty.ece", "proportion", True), ("speed.latency_ms", "ms", False)):
            interval = Interval(low=0.003, high=0.021, level=0.95, method="square-and-add")
            drop = Comparison(baseline=0.8, worse_by=0.012, interval=interval, relative=False)
            rule = result_of("r", measurement=name, comparison=drop)
            assert ("as if on different images" in text.compared(rule, unit)) is said


def rules_of(card, *rules) -> str:
    """The table of these rules, on one line."""
    verdict = card.verdict.model_copy(update={"rules": rules, "reasons": ("something",)})
    card = card.model_copy(update={"verdict": verdict})
    return " ".join(screen(card, 200, verdict_only=True).split())


class TestManyResults:
    def test_the_worst_three_that_do_not_hold_are_shown_and_the_rest_is_counted(self, ruled, result_of):
        kinds = ["pass"] * 4 + ["inconclusive"] * 3 + ["fail"] * 2
        rules = [
            result_of("many", params={"class": f"c{index}"}, outcome=kind, measured=index / 100, reason=f"is c{index}.")
            for index, kind in enumerate(kinds)
        ]
        said = rules_of(ruled, *rules)
        assert re.findall(r"is (c\d)\.", said) == ["c7", "c8", "c4"]
        assert "and 6 more: 2 undecided, 4 pass (e360 gate ... --explain many)" in said

    def test_of_many_that_hold_the_nearest_to_the_limit_stands_for_all(self, ruled, result_of):
        rules = [
            result_of("many", params={"class": f"c{n}"}, outcome="pass", measured=0.9 - n / 100, reason=f"is c{n}.")
            for n in range(5)
        ]
        said = rules_of(ruled, *rules)
        assert re.findall(r"is (c\d)\.", said) == ["c4"]
        assert "and 4 more: 4 pass" in said

    def test_one_reason_why_nothing_could_be_compared_is_told_once_for_all(self, ruled, result_of):
        why = "cannot be compared with the baseline: the data differ"
        fields = {"bound": "no_worse_than_baseline", "limit": 0.01, "measurement": "accuracy.per_class"}
        rules = [
            result_of(
                "many",
                **fields,
                params={"class": n},
                outcome="inconclusive",
                reason=f"accuracy.per_class{{class={n}}} {why}",
            )
            for n in range(10)
        ]
        said = rules_of(ruled, *rules)
        assert said.count(why) == 1
        assert f"accuracy.per_class (all 10) {why}" in said
        assert "more" not in said


class TestWords:
    @pytest.mark.parametrize(
        ("unit", "limit", "said"),
        [
            ("proportion", 0.01, "at most 1 point worse than the baseline"),
            ("proportion", 0.005, "at most 0.5 points worse than the baseline"),
            ("ms", 0.05, "at most 5 % worse than the baseline"),
            ("bytes", 0.1, "at most 10 % worse than the baseline"),
            ("nats", 0.02, "at most 0.02 nats worse than the baseline"),
            ("", 0.02, "at most 0.02 worse than the baseline"),
            ("proportion", 0.0, "no worse than the baseline"),
        ],
    )
    def test_a_margin_is_in_the_unit_that_it_is_meant_in(self, result_of, unit, limit, said):
        assert text.limit(result_of("r", bound="no_worse_than_baseline", limit=limit), unit) == said

    def test_the_comparison_itself_says_whether_its_margin_is_a_share(self, result_of):
        drop = Comparison(baseline=0.5, worse_by=0.1, interval=None, relative=True)
        rule = result_of("r", bound="no_worse_than_baseline", limit=0.05, comparison=drop)
        assert text.limit(rule, "proportion") == "at most 5 % worse than the baseline"

    @pytest.mark.parametrize(
        ("worse_by", "ends", "said"),
        [
            (0.012, (0.003, 0.021), "1.2 points worse than the baseline's 80.0 % (0.3 to 2.1 points worse)"),
            (-0.012, (-0.021, -0.003), "1.2 points better than the baseline's 80.0 % (0.3 to 2.1 points better)"),
            (0.0, None, "no different from the baseline's 80.0 %"),
        ],
    )
    def test_a_drop_and_a_gain_are_told_in_words(self, result_of, worse_by, ends, said):
        interval = Interval(low=ends[0], high=ends[1], level=0.95, method="tango") if ends else None
        drop = Comparison(baseline=0.8, worse_by=worse_by, interval=interval, relative=False)
        assert text.compared(result_of("r", comparison=drop), "proportion") == said

    def test_a_waiver_never_turns_a_pass_or_a_failure_into_another_word(self, ruled):
        waived = next(rule for rule in ruled.verdict.rules if rule.rule == "waived-floor")
        assert text.outcome(waived) == "fail, waived"
        assert text.outcome(waived.model_copy(update={"outcome": "pass"})) == "pass"

    def test_a_baseline_that_nobody_accepted_is_said_to_be_so(self, ruled):
        record = ruled.verdict.baseline.model_copy(update={"accepted_by": ""})
        assert text.accepted(record) == "nobody has accepted it as the baseline"
