"""The Markdown summary: the bad news first, within GitHub's limits, and no name is more than a name."""

from __future__ import annotations

import re
import unicodedata

import pytest
from markdown_it import MarkdownIt

from efficiency360.records import Caveat, Comparison, Interval, Scorecard, Verdict
from efficiency360.render import markdown

GFM = MarkdownIt("commonmark").enable("table")
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)></details>",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "[ref]: https://evil.example",
    "<https://evil.example> www.evil.example mailto:a@evil.example",
    "@octocat @org/team #1 org/repo#1 GH-1",
    "a | b \\| c \\",
    "\\",
    "`code` ``` ``",
    "`",
    "two\nlines\r\n\n# heading\n\n- item\n> quote",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "---",
    "===",
    "> quote",
    "*bold* _it_ __b__ ~~gone~~ $x$ &lt;b&gt; &#64;octocat",
    "    indented",
    "\x1b[31m\x00\u202e\u200b",
    "",
    " ",
    "x" * 99_999,
]
WHY = ("chance", "other", "wide")
ALLOWED = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code"}


def with_verdict(card: Scorecard, **changed) -> Scorecard:
    verdict = Verdict.model_validate({**dict(card.verdict), **changed})
    return card.model_copy(update={"verdict": verdict})


def named(card: Scorecard, result_of, name: str) -> Scorecard:
    """A scorecard all of whose free texts are `name`."""
    waiver = next(rule.waiver for rule in card.verdict.rules if rule.waiver)
    waiver = waiver.model_copy(update={"owner": name, "reason": name})
    rule = result_of(name or "?", params={"class": name, name or "k": 1}, reason=name, rationale=name, waiver=waiver)
    baseline = card.verdict.baseline.model_copy(update={"name": name, "accepted_by": name or "x", "why": name})
    caveat = Caveat(id="x", severity="critical", text=name)
    axis = card.axes[1]
    numbers = tuple(
        one.model_copy(update={"params": {"class": name}, "unit": "" if one.unit == "proportion" else name})
        for one in axis.measurements
    )
    failed = card.axes[0].model_copy(update={"status": "failed", "reason": name, "measurements": ()})
    card = with_verdict(card, rules=(rule,), reasons=(name, name), baseline=baseline)
    return card.model_copy(
        update={
            "subject": card.subject.model_copy(update={"name": name, "caveats": (caveat,)}),
            "dataset": card.dataset.model_copy(update={"name": name}),
            "audit": card.audit.model_copy(update={"title": name}),
            "axes": (axis.model_copy(update={"measurements": numbers}), failed),
        }
    )


def shape(page: str) -> list[str]:
    """The structure that a Markdown parser sees, without the words."""
    tokens = []
    for token in GFM.parse(page):
        tokens.append(f"{token.type} {token.tag}")
        tokens += [f"{child.type} {child.tag}" for child in token.children or [] if child.type != "text"]
    return tokens


def words(page: str) -> str:
    """What a reader sees."""
    return re.sub(r"<[^>]*>", " ", GFM.render(page))


class TestContent:
    def test_the_headline_says_verdict_model_and_data(self, ruled):
        first, _, second, *_ = markdown.render(ruled).splitlines()
        assert first == "## ❌ FAIL: `efficientnet-lite0.pth`"
        assert "on `imagenet-500` (500 images)" in second

    def test_what_stands_in_the_way_comes_first_failures_before_the_rest(self, ruled):
        head, _, rest = markdown.render(ruled).partition("<details>")
        found = re.findall(r"^\| `([a-z-]+)`", head, re.MULTILINE)
        assert found == [
            *("per-class", "waived-once", "no-drop", "no-slower", "private"),
            *("waived-floor", "warned", "told"),
        ]
        assert "accuracy-floor" not in head
        assert "accuracy-floor" in rest

    def test_a_row_tells_number_interval_limit_and_outcome(self, ruled):
        row = next(line for line in markdown.render(ruled).splitlines() if line.startswith("| `waived-once`"))
        assert "Top-1 accuracy 66.7 % (57.8 to 74.5 %) | at least 95.0 % | ❌ fail |" in row

    def test_a_comparison_tells_drop_margin_and_images_needed(self, ruled):
        row = next(line for line in markdown.render(ruled).splitlines() if line.startswith("| `no-drop`"))
        assert "1.2 points worse than the baseline's 67.9 % (0.3 to 2.1 points worse)" in row
        assert "2,400 images in all would decide it" in row
        assert "at most 1 point worse than the baseline" in row

    def test_waivers_are_listed_with_owner_and_expiry_and_never_make_a_pass(self, ruled):
        page = markdown.render(ruled)
        assert "- `waived-floor`: waived until 2027-03-31 by Jane Doe: new data come in March" in page
        assert "- `waived-once`: the waiver by Jane Doe expired on 2026-01-31; its reason was: new data" in page
        assert "| ❌ fail, waived |" in page

    def test_the_baseline_and_who_accepted_it_are_named(self, ruled):
        assert "compared with efficientnet-lite0-2026-02, audited on 2026-02-01; accepted by Ada" in markdown.render(
            ruled
        )

    def test_reasons_that_are_no_rules_are_told_and_those_of_rules_are_not_told_twice(self, ruled):
        card = with_verdict(ruled, reasons=("the required axis speed failed: no timer", "rule no-drop: reaches across"))
        page = markdown.render(card)
        assert "the required axis speed failed: no timer" in page
        assert "rule no-drop" not in page

    def test_why_a_rule_is_undecided_is_told_where_its_interval_does_not_say(self, ruled, result_of):
        beyond = Interval(low=0.03, high=0.05, level=0.95, method="tango")
        drop = Comparison(baseline=0.7, worse_by=0.04, interval=beyond, relative=False)
        margin = {"bound": "no_worse_than_baseline", "limit": 0.01, "outcome": "inconclusive"}
        other = "accuracy.top1 cannot be compared with the baseline: the data differ"
        across = beyond.model_copy(update={"low": -0.05})
        rules = (
            result_of("chance", **margin, comparison=drop),
            result_of("other", **margin, reason=other),
            result_of("wide", **margin, comparison=drop.model_copy(update={"interval": across}), reason="unsaid"),
        )
        page = markdown.render(with_verdict(ruled, rules=rules))
        row = {rule: next(line for line in page.splitlines() if line.startswith(f"| `{rule}`")) for rule in WHY}
        assert "looked at alone it breaks the margin; among several comparisons that may be chance" in row["chance"]
        assert "it cannot be compared with the baseline: the data differ" in row["other"]
        assert "unsaid" not in row["wide"]

    def test_a_rule_with_many_results_is_folded_above_and_nothing_of_it_is_repeated_below(self, ruled, result_of):
        rules = [
            result_of("many", params={"class": n}, measured=n / 100, outcome="pass" if n > 8 else "fail")
            for n in range(20)
        ]
        page = markdown.render(with_verdict(ruled, rules=rules, reasons=("rule many: 9 of 20 fail, such as: it",)))
        head, _, rest = page.partition("<details>")
        assert re.findall(r"`class=(\d+)`", head) == ["0", "1", "2"]
        assert "| `many` | and 17 more: 6 fail, 11 pass |" in head
        assert "such as" not in head
        assert re.findall(r"\| `many`<br>`class=(\d+)`", rest) == ["3", "4", "5", "6", "7"]
        assert "and 12 more: 1 fails, 11 pass" in rest

    def test_without_any_score_no_grade_is_claimed(self, ruled):
        scores = tuple(score.model_copy(update={"score": None, "grade": None}) for score in ruled.scores)
        head, _, _ = markdown.render(ruled.model_copy(update={"scores": scores})).partition("|")
        assert "no score: the audit file names none" in head
        assert "grade" not in head

    def test_critical_caveats_are_told(self, ruled):
        caveat = Caveat(id="x", severity="critical", text="Gradients are masked.")
        axis = ruled.axes[0].model_copy(update={"caveats": (caveat,)})
        assert "- cost: Gradients are masked." in markdown.render(ruled.model_copy(update={"axes": (axis,)}))

    def test_of_many_classes_the_worst_and_the_best_stand_for_all(self, sample_card):
        page = markdown.render(sample_card)
        assert "Accuracy of a class (worst of 500)" in page
        assert page.count("Accuracy of a class") == 2

    def test_a_pass_without_anything_to_say_has_no_table_outside_the_fold(self, sample_card):
        head, _, _ = markdown.render(sample_card).partition("<details>")
        assert "✅ PASS" in head
        assert "|" not in head

    def test_the_same_scorecard_gives_the_same_text(self, ruled):
        assert markdown.render(ruled) == markdown.render(Scorecard.model_validate_json(ruled.model_dump_json()))


class TestLimits:
    @pytest.mark.parametrize("most", [65_536, 20_000])
    @pytest.mark.parametrize("name", ["class {}", "<&|>" * 100 + "{}"])
    def test_a_long_verdict_is_cut_and_says_by_how_much(self, ruled, result_of, most, name):
        rules = [
            result_of(f"r{index}", params={"class": name.format(index)}, measured=index / 3000, outcome=outcome)
            for outcome, numbers in (("fail", range(1500)), ("pass", range(1500, 3000)))
            for index in numbers
        ]
        reasons = [f"rule {rule.rule}: something was found {rule.params}" for rule in rules[:1500]]
        page = markdown.render(with_verdict(ruled, rules=rules, reasons=reasons), most)
        assert len(page) <= most
        left = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) more are left out here", page)]
        head, _, folded = page.partition("<details>")
        assert 1500 - len(re.findall(r"^\| `r", head, re.MULTILINE)) in left
        assert 1500 - len(re.findall(r"^\| `r", folded, re.MULTILINE)) in left
        assert page.count("<details>") == page.count("</details>") == 2

    def test_nothing_is_said_to_be_left_out_of_a_short_one(self, ruled):
        assert "left out" not in markdown.render(ruled)


class TestHostileNames:
    @pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
    def test_the_page_has_the_structure_that_an_ordinary_name_gives_it(self, ruled, result_of, name):
        page = markdown.render(named(ruled, result_of, name))
        assert shape(page) == shape(markdown.render(named(ruled, result_of, "cat"))) or not name.strip()
        assert {token.tag for token in GFM.parse(page)} - {""} <= ALLOWED

    @pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
    def test_raw_html_is_only_ours(self, ruled, result_of, name):
        found = set(
            re.findall(r"(?<!\\)<[^>]*>", re.sub(r"`[^`\n]*`", "", markdown.render(named(ruled, result_of, name))))
        )
        assert found <= {"<details>", "</details>", "<summary>", "</summary>", "<br>"}

    @pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
    def test_github_finds_no_mention_no_address_and_no_issue_outside_code(self, ruled, result_of, name):
        outside = re.sub(r"<code>.*?</code>", "", GFM.render(markdown.render(named(ruled, result_of, name))))
        assert not re.search(r"@|://|www\.|#\d|GH-\d|&#64;", outside)

    @pytest.mark.parametrize("name", ["a | b", "a \\| b", "a \\\\| b", "a\\", "`|`"])
    def test_a_cell_neither_ends_early_nor_loses_its_end(self, ruled, result_of, name):
        rendered = GFM.render(markdown.render(named(ruled, result_of, f"{name} end")))
        cell = next(cell for cell in re.findall(r"<td>(.*?)</td>", rendered) if cell.startswith("failed: "))
        assert cell == f"failed: {name} end"
        row = next(row for row in rendered.split("<tr>") if "failed: " in row)
        assert row.count("<td>") == 4

    @pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
    def test_no_control_character_is_left(self, ruled, result_of, name):
        page = markdown.render(named(ruled, result_of, name))
        assert {char for char in page if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}} == {"\n"}

    def test_an_ordinary_sentence_reads_as_it_was_written(self, ruled, result_of):
        said = "the required axis x_y failed: 3 of 10 (30 %) * 2 < 7 & more"
        assert "the required axis x_y failed: 3 of 10 (30 %) * 2 &lt; 7 &amp; more" in words(
            markdown.render(with_verdict(ruled, reasons=(said,), rules=(result_of("r"),)))
        )
