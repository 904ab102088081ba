"""The HTML report: complete, self-contained, safe, and honest about what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from efficiency360.judge.scoring import grade
from efficiency360.records import (
    FRAMEWORK_AXES,
    WHAT_IFS,
    AxisRecord,
    AxisScore,
    Caveat,
    DatasetRecord,
    Interval,
    Measurement,
    Scorecard,
    Series,
    Waived,
)
from efficiency360.render import html, language, text
from efficiency360.render.results import readable
from efficiency360.spec import AuditSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from efficiency360.records import RuleResult

    Result = Callable[..., RuleResult]

VOID = {"meta", "link", "br", "hr", "img", "input"}
PARTS = ("verdict", "wheel", "rules", "details", "repeat", "glossary")
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202ecod\u2066e\x1b[31m\x00{{ 7 * 7 }}&amp;"
LONG = "a_name_without_any_blank_" * 20
SKIPPED = AxisRecord(id="privacy", version=1, status="skipped", reason="no member data was given")
FAILED = AxisRecord(id="robustness", version=1, status="failed", reason="the model returned NaN for 3 of 500 images")
STRANGE = AxisRecord(
    id="acme_wobble",
    version=7,
    status="measured",
    measurements=(
        Measurement(name="acme_wobble.sway", value=12.5, unit="furlongs"),
        Measurement(name="acme_wobble.tilt", value=-0.25, unit="", n=3, params={"axle": 2, "wet": True}),
    ),
    series=(
        Series(name="acme_wobble.trace", title="Trace", columns={"t": [0, 1], "x": [None, 0.5], "ok": [True, False]}),
        Series(name="acme_wobble.nothing", title="Nothing", columns={"t": []}),
    ),
    caveats=(Caveat(id="acme.wet", severity="critical", text="Measured in the rain."),),
)


class Page(HTMLParser):
    """Checks the nesting of tags as it goes, and keeps what tests ask about."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.pieces: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing, line {self.getpos()[0]}"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>, line {self.getpos()[0]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.pieces.append(data)
            if "td" in self.open or "th" in self.open:
                self.rows[-1][-1] += data

    @cached_property
    def text(self) -> str:
        """What a reader sees, blanks folded."""
        return " ".join("".join(self.pieces).split())

    def part(self, start: str, end: str) -> Page:
        """The text between two ids."""
        inside = self.source.partition(f'id="{start}"')[2].partition(f'id="{end}"')[0]
        piece = Page("")
        HTMLParser.feed(_Lax(piece), "<x " + inside)
        return piece


class _Lax(HTMLParser):
    """Collects the text of a fragment, whose tags need not balance."""

    def __init__(self, into: Page) -> None:
        super().__init__()
        self.into = into

    def handle_data(self, data: str) -> None:
        self.into.pieces.append(data)


def audit_of(*rules: dict[str, Any], **fields: Any) -> AuditSpec:
    axes: dict[str, Any] = {"cost": {}, "accuracy": {}}
    return AuditSpec.model_validate({"title": "Test", "file": "test.toml", "axes": axes, "rules": rules, **fields})


def floor(at_least: float, measurement: str = "accuracy.top1", **fields: Any) -> dict[str, Any]:
    return {"id": "floor", "measurement": measurement, "at_least": at_least, "rationale": "People notice.", **fields}


@pytest.fixture(scope="session")
def odd_cards(
    card_of: Callable[..., Scorecard], cost: AxisRecord, accuracy_of: Callable[..., AxisRecord], sample_card: Scorecard
) -> dict[str, Scorecard]:
    thousand = accuracy_of([f"class {index}" for index in range(1000)], n=7, right=4321)
    no_data = card_of((cost,), file=None, fingerprint=None, arch=None, num_classes=None, input=None, preprocess={})
    huge = {"number": list(range(5000)), "word": ["w"] * 5000}
    series = Series(name="acme_wobble.long", title="Long", columns=huge)
    each_class = audit_of(floor(0.5), floor(0.9, "accuracy.per_class", id="each"))
    long_names = accuracy_of([LONG, LONG + "2"], n=9)
    return {
        "ordinary": sample_card,
        "no axes": card_of(()),
        "failed and skipped": card_of((cost, FAILED, SKIPPED)),
        "third party": card_of((cost, STRANGE)),
        "one class": card_of((cost, accuracy_of(["cat"], n=50, right=40))),
        "a thousand classes": card_of((cost, thousand), each_class),
        "long names": card_of((cost, long_names), audit_of(floor(0.5), title=LONG), name=LONG),
        "no data": no_data.model_copy(update={"dataset": None}),
        "no rules": card_of((cost,), audit_of()),
        "a long series": card_of((STRANGE.model_copy(update={"series": (series,)}),)),
    }


@dataclass(frozen=True)
class Odd:
    """A scorecard and the page it became."""

    name: str
    card: Scorecard
    page: Page


@pytest.fixture(scope="session")
def odd(odd_cards: dict[str, Scorecard]) -> list[Odd]:
    return [Odd(name, card, Page(html.render(card))) for name, card in odd_cards.items()]


def each(odd: list[Odd]) -> Iterator[tuple[str, Scorecard, Page]]:
    for one in odd:
        yield one.name, one.card, one.page


def test_every_card_becomes_a_well_formed_page(odd: list[Odd]) -> None:
    for name, card, page in each(odd):
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), name
        targets = {attrs["href"] for _, attrs in page.tags if attrs.get("href", "").startswith("#")}
        assert targets <= {f"#{name}" for name in ids}, name
        assert "None" not in page.text, name
        assert {f"axis-{axis}" for axis in (*FRAMEWORK_AXES, *(axis.id for axis in card.axes))} <= set(ids), name


def test_it_needs_nothing_but_itself(odd: list[Odd]) -> None:
    for name, _, page in each(odd):
        source = page.source
        policies = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
        assert len(policies) == 1
        assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
        assert "http:" not in source, name
        assert "https:" not in source, name
        assert "@import" not in source
        assert set(re.findall(r"url\(([^)]*)\)", source)) <= {"#wheel-hatch", "#wheel-cross"}
        for tag, attrs in page.tags:
            assert tag not in {"script", "iframe", "object", "embed", "form", "base", "img"}
            assert not {"src", "srcset", "action", "data"} & set(attrs)
            assert not [key for key in attrs if key.startswith("on")]
            assert attrs.get("href", "#").startswith(("#", "data:,"))


def test_it_is_the_same_byte_for_byte(sample_card: Scorecard) -> None:
    again = Scorecard.model_validate_json(sample_card.model_dump_json())
    program = (
        "import sys; from efficiency360.records import Scorecard; from efficiency360.render.html import render;"
        "sys.stdout.buffer.write(render(Scorecard.model_validate_json(sys.stdin.read())).encode())"
    )
    pages = {html.render(sample_card).encode(), html.render(again).encode()}
    for seed in ("1", "2"):
        command = [sys.executable, "-c", program]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            command, input=sample_card.model_dump_json().encode(), env=environment, capture_output=True, check=True
        )
        pages.add(done.stdout)
    assert len(pages) == 1


def test_rendering_never_imports_torch(sample_card: Scorecard) -> None:
    program = (
        "import sys; from efficiency360.records import Scorecard; from efficiency360.render.html import render;"
        "render(Scorecard.model_validate_json(sys.stdin.read())); sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, input=sample_card.model_dump_json().encode(), check=False).returncode == 0


def hostile_card(card_of: Callable[..., Scorecard]) -> Scorecard:
    """A scorecard in which every text that comes from outside is an attack."""
    caveat = Caveat(id=HOSTILE, severity="critical", text=HOSTILE)
    interval = Interval(low=0.1, high=0.9, level=0.95, method=HOSTILE)
    rows = tuple(
        Measurement(
            name="acme.class",
            value=0.5,
            unit=unit,
            better="higher",
            interval=interval,
            params={"class": HOSTILE + str(index), HOSTILE: 1},
        )
        for unit in ("proportion", HOSTILE)
        for index in range(20)
    )
    lone = Measurement(name="acme.lone", value=0.5, unit=HOSTILE, interval=interval, params={HOSTILE: HOSTILE})
    axis = AxisRecord(
        id="acme",
        version=1,
        status="measured",
        reason=HOSTILE,
        settings={HOSTILE: {HOSTILE: [HOSTILE]}},
        measurements=(*rows, lone),
        series=(Series(name="acme.files", title=HOSTILE, columns={HOSTILE: [HOSTILE] * 20}),),
        artifacts=({"path": HOSTILE, "sha256": "a" * 64, "kind": HOSTILE},),
        caveats=(caveat,),
    )
    failed = FAILED.model_copy(update={"reason": HOSTILE})
    rules = [floor(0.3, "acme.class", id=HOSTILE, rationale=HOSTILE), floor(0.3, id=HOSTILE + "2", rationale=HOSTILE)]
    dataset = DatasetRecord(
        name=HOSTILE, kind=HOSTILE, fingerprint="d" * 64, n=1, available=1, groups=(HOSTILE,), caveats=(caveat,)
    )
    subject = dict.fromkeys(("name", "file", "kind", "arch"), HOSTILE)
    more = {"preprocess": {HOSTILE: HOSTILE}, "caveats": (caveat,)}
    card = card_of((axis, failed), audit_of(*rules, title=HOSTILE), dataset, **subject, **more)
    machine = {"cpu": HOSTILE, "device": HOSTILE, "platform": HOSTILE, "started_at": HOSTILE, "isolation": (HOSTILE,)}
    environment = card.environment.model_copy(update={**machine, "versions": {HOSTILE: HOSTILE}, "seeds": {HOSTILE: 0}})
    waiver = Waived(owner=HOSTILE, reason=HOSTILE, expires=date(2027, 3, 31), active=True)
    results = tuple(result.model_copy(update={"waiver": waiver}) for result in card.verdict.rules)
    return card.model_copy(
        update={
            "environment": environment,
            "command": HOSTILE,
            "audit": card.audit.model_copy(update={"file": HOSTILE}),
            "verdict": card.verdict.model_copy(update={"rules": results, "reasons": (HOSTILE,) * 20}),
        }
    )


def test_text_from_outside_stays_text(card_of: Callable[..., Scorecard]) -> None:
    source = html.render(hostile_card(card_of))
    page = Page(source)
    assert "<script" not in source
    assert not [tag for tag, _ in page.tags if tag in {"script", "img"}]
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert {unicodedata.category(char) for char in source if char != "\n"}.isdisjoint({"Cc", "Cf", "Cs"})
    assert "49" not in page.text, "a template inside a name was run"
    shown = " ".join(text.plain(HOSTILE).split())
    assert page.text.count(shown) > 100


def test_the_verdict_comes_first_then_the_wheel_then_the_details(odd: list[Odd]) -> None:
    for _, _, page in each(odd):
        source = page.source
        places = [source.index(f'id="{part}"') for part in PARTS]
        assert places == sorted(places)
        assert places[1] < source.index('id="axis-cost"')


@pytest.mark.parametrize(
    ("limit", "outcome", "word"),
    [(0.8, "pass", "PASS"), (0.95, "fail", "FAIL"), (0.87, "inconclusive", "INCONCLUSIVE")],
)
def test_the_verdict_has_word_and_shape(  # noqa: PLR0913, PLR0917 - fixtures
    card_of: Callable[..., Scorecard],
    accuracy_of: Callable[..., AxisRecord],
    cost: AxisRecord,
    limit: float,
    outcome: str,
    word: str,
) -> None:
    card = card_of((cost, accuracy_of()), audit_of(floor(limit)))
    assert card.verdict.outcome == outcome
    page = Page(html.render(card))
    verdict = page.source.partition('id="verdict"')[2].partition("</h1>")[0]
    assert word in verdict
    assert f'href="#m-{outcome}"' in verdict
    for reason in card.verdict.reasons:
        assert worded(reason, card) in page.text


def worded(reason: str, card: Scorecard) -> str:
    """A reason with the measurement that it begins with in words; all of all is said without the number twice."""
    if found := re.fullmatch(r"(\d+) of \1 blocking checks passed", reason):
        return f"All blocking checks passed ({found[1]})"
    for result in card.verdict.rules:
        if reason.endswith(result.reason):
            return reason.removesuffix(result.reason) + readable(result)
    return reason


def test_every_reason_stands_in_the_verdict(odd: list[Odd]) -> None:
    for name, card, page in each(odd):
        verdict = page.part("verdict", "wheel").text
        assert all(worded(reason, card) in verdict for reason in card.verdict.reasons), name


def test_a_wheel_of_many_axes_numbers_them(card_of: Callable[..., Scorecard]) -> None:
    many = tuple(
        AxisRecord(id=f"extra_{index}", version=1, status="skipped", reason=f"reason {index}") for index in range(30)
    )
    source = html.render(card_of(many))
    wheel = source.partition('class="wheel"')[2].partition("</svg>")[0]
    labels = re.findall(r"<text [^>]*>([^<]*)", wheel)
    assert labels[:-1] == [str(number) for number in range(1, 42)]
    index = Page(source).part("wheel", "rules").text
    assert "12 Extra 0 not measured reason 0 13 Extra 1 not measured reason 1" in index


def test_a_pass_that_forgives_open_rules_says_so(
    card_of: Callable[..., Scorecard], accuracy_of: Callable[..., AxisRecord], cost: AxisRecord
) -> None:
    axes = (cost, accuracy_of())
    proven = Page(html.render(card_of(axes, audit_of(floor(0.8)))))
    forgiven = Page(html.render(card_of(axes, audit_of(floor(0.87), inconclusive="pass"))))
    assert "proven to hold" in proven.text
    assert "proven to hold" not in forgiven.text
    assert "could not be decided" in forgiven.text


def test_every_measurement_and_caveat_is_there(odd: list[Odd]) -> None:
    for name, card, page in each(odd):
        rows = [" | ".join(" ".join(cell.split()) for cell in row) for row in page.rows]
        for axis in card.axes:
            for caveat in axis.caveats:
                assert caveat.text in page.text, name
            for measurement in axis.measurements:
                assert measurement.name in page.text, name
                facts = [text.quantity(measurement.value, measurement.unit), *map(str, measurement.params.values())]
                if measurement.interval:
                    facts.append(text.spread(measurement.interval, measurement.unit))
                assert any(all(fact in row for fact in facts) for row in rows), (name, measurement.label)
        for caveat in (*card.subject.caveats, *(card.dataset.caveats if card.dataset else ())):
            assert caveat.text in page.text, name


def test_every_rule_is_there_with_reason_and_rationale(odd: list[Odd]) -> None:
    for name, card, page in each(odd):
        rules = page.part("rules", "details").text
        for result in card.verdict.rules:
            assert result.rule in rules, name
            assert worded(result.reason, card) in rules, name
            assert result.rationale in rules, name


def test_missing_is_said_and_never_zero(card_of: Callable[..., Scorecard]) -> None:
    card = card_of((FAILED, SKIPPED))
    page = Page(html.render(card))
    assert "0 of 11 axes measured" in page.text
    assert "0 of 100" not in page.text.replace("0 to 100 of 100", "")
    assert str(FAILED.reason) in page.text
    assert str(SKIPPED.reason) in page.text
    wheel = page.part("wheel-title", "wheel-hatch").text
    assert "Cost: not measured; Speed: not measured;" in wheel
    assert "Robustness: failed; Privacy: skipped;" in wheel
    rules = page.part("rules", "details").text
    assert rules.count("not measured") >= len(card.verdict.rules)
    assert "0.0 %" not in rules


def test_axes_without_a_score_look_different_from_axes_with_none_of_it(card_of: Callable[..., Scorecard]) -> None:
    source = html.render(card_of((FAILED, SKIPPED, STRANGE)))
    wheel = source.partition('class="wheel"')[2].partition("</svg>")[0]
    states = re.findall(r'<g class="(\w+)">', wheel)
    assert states.count("absent") == len(FRAMEWORK_AXES) - 2
    assert {"failed", "skipped", "unscored"} <= set(states)
    assert 'class="fill"' not in wheel
    assert 'role="img"' in wheel
    assert len(re.findall("<text ", wheel)) == len(FRAMEWORK_AXES) + 2
    css = source.partition("<style>")[2].partition("</style>")[0]
    looks = {re.search(rf"\.{state} \.track[^}}]*}}", css)[0].partition("{")[2] for state in html_states()}  # type: ignore[index]
    assert len(looks) == len(html_states())


def html_states() -> tuple[str, ...]:
    return ("scored", "unscored", "failed", "skipped", "absent")


def test_a_score_for_an_axis_that_was_not_measured_is_not_believed(sample_card: Scorecard) -> None:
    invented = (*sample_card.scores, AxisScore(axis="robustness", score=99.5, grade="A"))
    page = Page(html.render(sample_card.model_copy(update={"scores": invented})))
    assert "99.5" not in page.text


def test_long_tables_are_folded_worst_first(
    card_of: Callable[..., Scorecard], cost: AxisRecord, accuracy_of: Callable[..., AxisRecord]
) -> None:
    card = card_of((cost, accuracy_of([f"class {index}" for index in range(1000)], n=1, right=990)))
    axis = html.render(card).partition('id="axis-accuracy"')[2]
    before, _, folded = axis.partition("<details>")
    assert re.findall(r"class \d+", before) == [f"class {index}" for index in range(990, 998)]
    assert "992 more" in folded
    assert re.findall(r"class \d+", folded)[:3] == ["class 998", "class 999", "class 0"]


def test_long_series_say_how_many_rows_they_leave_out(odd: list[Odd]) -> None:
    page = next(one.page for one in odd if one.name == "a long series")
    assert "4,500 further rows are in scorecard.json" in page.text


def test_an_ordinary_report_is_small(sample_card: Scorecard) -> None:
    assert len(html.render(sample_card).encode()) < 200_000


def test_it_can_be_repeated_from_what_it_says(sample_card: Scorecard) -> None:
    page = Page(html.render(sample_card))
    subject, data, host = sample_card.subject, sample_card.dataset, sample_card.environment
    assert data is not None
    audit = sample_card.audit
    facts = [
        *(sample_card.command, subject.fingerprint, subject.arch, subject.file, data.fingerprint),
        *(audit.title, audit.file, audit.fingerprint, host.host, host.cpu, host.device, host.started_at),
        *("3 x 224 x 224", 'interpolation = "bicubic"', "audit = 0", "batch_size = 32", *host.isolation),
        *(f'{package} = "{version}"' for package, version in host.versions.items()),
        *(artifact.sha256 for axis in sample_card.axes for artifact in axis.artifacts),
    ]
    for fact in facts:
        assert fact is not None
        assert fact in page.text


def test_the_glossary_explains_what_occurs_and_only_that(
    sample_card: Scorecard, card_of: Callable[..., Scorecard], cost: AxisRecord
) -> None:
    whole = Page(html.render(sample_card)).text.rpartition("Glossary")[2]
    for term in ("Top-1 accuracy", "Top-5 accuracy", "Balanced accuracy", "MACs", "FLOPs", "Interval", "Coverage"):
        assert term in whole
    assert "Inconclusive" not in whole
    bare = Page(html.render(card_of((cost,)))).text.rpartition("Glossary")[2]
    assert "Top-1" not in bare
    assert "Inconclusive" in bare


def test_the_prose_knows_every_axis_and_the_grades_of_the_judge() -> None:
    words = language.words("en")
    assert set(words["axes"]) == {*FRAMEWORK_AXES, *WHAT_IFS, "_unknown"}
    grades = next(entry["text"] for entry in words["glossary"] if "grade" in entry["term"])
    stated = dict(re.findall(r"([A-D]) from (\d+)", grades))
    assert stated
    for letter, points in stated.items():
        assert grade(float(points)) == letter
        assert grade(float(points) - 0.1) != letter
    assert len(stated) == 4


def test_the_template_never_prints_none() -> None:
    with pytest.raises(TypeError, match="missing"):
        html._visible(None)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-03-14T09:26:53+00:00", "2026-03-14 09:26 UTC"),
        ("2026-03-14T09:26:53", "2026-03-14 09:26"),
        ("soon", "soon"),
    ],
)
def test_times_are_readable(moment: str, shown: str) -> None:
    assert html._moment(moment) == shown


def verdict_of(card: Scorecard, **changed: object) -> Scorecard:
    return card.model_copy(update={"verdict": card.verdict.model_copy(update=changed)})


class TestComparisonsAndWaivers:
    def test_a_comparison_and_its_margin_stand_in_the_rules(self, ruled: Scorecard) -> None:
        rules = Page(html.render(ruled)).part("rules", "details").text
        assert "1.2 points worse than the baseline's 67.9 % (0.3 to 2.1 points worse)" in rules
        assert "at most 1 point worse than the baseline" in rules
        assert "5.04 % worse than the baseline's 11.9 ms" in rules
        assert "at most 5 % worse than the baseline" in rules
        assert "asks the same of the difference" in rules

    def test_a_waived_failure_is_shown_as_failing_and_waived(self, ruled: Scorecard) -> None:
        rows = Page(html.render(ruled)).rows
        (row,) = (row for row in rows if len(row) > 1 and row[1] == "waived-floor")
        assert row[0].split() == ["fail", "waived"]
        (row,) = (row for row in rows if len(row) > 1 and row[1] == "waived-once")
        assert row[0].split() == ["fail"]

    def test_waivers_tell_owner_day_and_reason_and_whether_they_hold(self, ruled: Scorecard) -> None:
        rules = Page(html.render(ruled)).part("rules", "details").text
        assert "Waiver: waived until 2027-03-31 by Jane Doe: new data come in March" in rules
        assert (
            "Waiver: by Jane Doe, expired on 2026-01-31, so it holds no more; its reason was: new data come in March"
            in rules
        )

    def test_the_baseline_is_named_with_who_accepted_it_when_and_why(self, ruled: Scorecard) -> None:
        page = Page(html.render(ruled))
        facts = page.part("verdict", "wheel").text
        assert "Compared withefficientnet-lite0-2026-02" in facts
        assert "accepted as the baseline by Ada Lovelace, 2026-02-03 10:30 UTC: first release" in facts
        assert "ba" * 32 in page.part("repeat", "glossary").text

    def test_a_baseline_that_nobody_accepted_is_said_to_be_so(self, ruled: Scorecard) -> None:
        assert ruled.verdict.baseline
        record = ruled.verdict.baseline.model_copy(update={"accepted_by": ""})
        page = Page(html.render(verdict_of(ruled, baseline=record)))
        assert "nobody has accepted it as the baseline" in page.part("verdict", "wheel").text

    def test_a_pass_that_waivers_made_does_not_claim_that_every_rule_holds(self, ruled: Scorecard) -> None:
        rules = tuple(rule for rule in ruled.verdict.rules if not rule.stands_in_the_way)
        said = Page(html.render(verdict_of(ruled, outcome="pass", rules=rules))).text
        assert "This release owes its pass to waivers: 1 of the checks that can stop it did not pass" in said
        assert "Every rule that can stop this release is proven to hold" not in said

    def test_an_undecided_rule_that_is_waived_is_not_said_to_be_let_pass_by_the_audit_file(
        self, ruled: Scorecard
    ) -> None:
        (waived,) = (rule for rule in ruled.verdict.rules if rule.rule == "waived-floor")
        undecided = waived.model_copy(update={"outcome": "inconclusive"})
        said = Page(html.render(verdict_of(ruled, outcome="pass", rules=(undecided,)))).text
        assert "the audit file lets those pass" not in said

    def test_a_margin_is_drawn_on_a_scale_of_the_change_with_no_change_marked(self, ruled: Scorecard) -> None:
        (margin,) = (rule for rule in ruled.verdict.rules if rule.rule == "no-drop")
        rules = html.render(verdict_of(ruled, rules=(margin,))).partition('id="rules"')[2].partition('id="details"')[0]
        places = {kind: float(at) for kind, at in re.findall(r'class="(zero|bound)" d="M([0-9.]+) ', rules)}
        (dot,) = map(float, re.findall(r'circle cx="([0-9.]+)"', rules))
        assert places["zero"] < places["bound"] < dot
        span = (places["bound"] - places["zero"]) / (dot - places["zero"])
        assert span == pytest.approx(0.01 / 0.012, rel=1e-3)

    def test_a_margin_is_not_drawn_on_the_scale_of_the_number(self, ruled: Scorecard) -> None:
        (margin,) = (rule for rule in ruled.verdict.rules if rule.rule == "no-drop")
        details = html.render(verdict_of(ruled, rules=(margin,))).partition('id="details"')[2]
        assert 'class="figure"' in details
        assert 'class="bound"' not in details

    def test_results_beyond_five_of_a_rule_are_folded_and_counted(self, ruled: Scorecard, result_of: Result) -> None:
        rules = tuple(
            result_of("many", params={"class": f"c{index}"}, reason=f"accuracy.top1{{class=c{index}}} fails.")
            for index in range(8)
        )
        source = html.render(verdict_of(ruled, rules=rules))
        shown, _, folded = source.partition('id="rules"')[2].partition('id="details"')[0].partition("<details>")
        assert len(re.findall(r"class=c\d fails", shown)) == 5
        assert len(re.findall(r"class=c\d fails", folded)) == 3
        assert "3 more results of many: 3 fail" in folded

    def test_a_reason_names_its_measurement_in_words(self, ruled: Scorecard, result_of: Result) -> None:
        fields = {"measurement": "accuracy.per_class", "params": {"class": 1}}
        rule = result_of("r", **fields, reason="accuracy.per_class{class=1} is 3 %")
        card = verdict_of(ruled, rules=(rule,), reasons=(f"rule r: 1 of 9 fail, such as: {rule.reason}",))
        assert "rule r: 1 of 9 fail, such as: Accuracy of a class, class=1 is 3 %" in Page(html.render(card)).text

    def test_without_any_score_no_grade_is_claimed(self, ruled: Scorecard) -> None:
        scores = tuple(score.model_copy(update={"score": None, "grade": None}) for score in ruled.scores)
        said = Page(html.render(ruled.model_copy(update={"scores": scores}))).part("verdict", "rules").text
        assert "No score: the audit file names none" in said
        assert "grade" not in said.lower().replace("scoregrade", "")

    def test_a_report_without_any_of_it_says_nothing_of_it(self, sample_card: Scorecard) -> None:
        said = Page(html.render(sample_card)).part("rules", "nothing").text.lower()
        assert "waive" not in said
        assert "baseline" not in said
