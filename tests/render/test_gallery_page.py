"""The front page of kept reports: the scorecards' own numbers, nothing made up, nothing from outside."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest

from efficiency360.records import AxisRecord, Caveat, Interval, Measurement
from efficiency360.render import gallery, text
from efficiency360.render.html import render as render_report
from efficiency360.scorecards import read_scorecard
from efficiency360.statistics.intervals import wilson
from efficiency360.units import shown

REPORTS = Path(__file__).parent.parent.parent / "reports"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202ecod\x1b[31m\x00{{ 7 * 7 }}&amp;"
HOW = {"threads": 2, "dtype": "float32"}
DASH = "\N{EN DASH}"
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Checks the nesting of tags; keeps the attributes of tags, and the text of each row's cells."""

    def __init__(self, source):
        super().__init__()
        self.source, self.open, self.tags, self.rows, self.pieces = source, [], [], [], []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.pieces.append(data)
            if {"td", "th"} & set(self.open):
                self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join("".join(self.pieces).split())

    @property
    def reports(self):
        """The cells of each report."""
        return self.rows[2:]


def parts(source, name):
    """What the groups of this class hold."""
    return "".join(re.findall(rf'<g class="{name} [^>]*>(.*?)</g>', source))


def measured(name, value, unit, better, reach=None, **params):
    interval = Interval(low=value - reach, high=value + reach, level=0.95, method="order") if reach else None
    return Measurement(name=name, value=value, unit=unit, better=better, n=900, interval=interval, params=params)


def speed_axis(p50=18.2, how=HOW, **fields):
    numbers = (
        measured("speed.latency_ms", p50 / 2, "ms", "lower", stat="p50", batch=8, **how),
        measured("speed.latency_ms", p50, "ms", "lower", 0.4, stat="p50", batch=1, **how),
        measured("speed.latency_ms", 1.2 * p50, "ms", "lower", 0.9, stat="p95", batch=1, **how),
        measured("speed.throughput", 54.0, "images/s", "higher", 1.5, batch=1, **how),
        measured("speed.throughput", 92.5, "images/s", "higher", 2.5, batch=16, **how),
        measured("speed.throughput", 71.0, "images/s", "higher", 3.5, batch=64, **how),
        measured("speed.peak_memory_bytes", 512_000_000, "bytes", "lower", scope="process", batch=1, **how),
    )
    return AxisRecord(id="speed", version=1, status="measured", measurements=numbers, **fields)


def accuracy_axis(right=435):
    numbers = (
        measured("accuracy.top1", right / 500, "proportion", "higher"),
        measured("accuracy.top5", 0.972, "proportion", "higher"),
    )
    top1 = numbers[0].model_copy(update={"interval": wilson(right, 500)})
    return AxisRecord(id="accuracy", version=1, status="measured", measurements=(top1, numbers[1]))


def uncertainty_axis():
    numbers = (
        measured("uncertainty.ece", 0.99, "proportion", "lower", binning="equal_width", bins=15),
        measured("uncertainty.ece", 0.0312, "proportion", "lower", 0.01, binning="equal_mass", bins=15),
        measured("uncertainty.ood_auroc", 0.5, "", "higher", against="patches"),
        measured("uncertainty.ood_auroc", 0.964, "", "higher", 0.012, against="noise"),
    )
    return AxisRecord(id="uncertainty", version=1, status="measured", measurements=numbers)


def on_host(card, letter, **fields):
    return card.model_copy(update={"environment": card.environment.model_copy(update={"host": letter * 64, **fields})})


@pytest.fixture
def full(card_of, cost):
    return card_of((cost, speed_axis(), accuracy_axis(), uncertainty_axis()), name="Lite0")


@pytest.fixture
def three(card_of, cost, full):
    """Two reports with everything, and one with nothing but its cost."""
    other = card_of((cost, speed_axis(26.9), accuracy_axis(444)), name="Lite1")
    return {"b": full, "c": other, "a": card_of((cost,), name="Counted")}


def test_every_number_is_the_scorecards_own_as_the_reports_write_it(full):
    (cells,) = Page(gallery.render({"lite0": full})).reports
    assert len(cells) == 3 + len(gallery.COLUMNS)
    numbers = dict(zip([column.id for column in gallery.COLUMNS], cells[3:], strict=True))
    for column in gallery.COLUMNS:
        found = column.find(full)
        assert found
        assert text.quantity(found.value, shown(found)) in numbers[column.id]
        assert not found.interval or text.spread(found.interval, shown(found)) in numbers[column.id]
    assert numbers["params"] == "4.65 M"
    assert numbers["p50"] == "18.2 ms17.8 to 18.6 ms"
    assert numbers["throughput"] == "92.5 images/sat batch 1690 to 95 images/s"
    assert numbers["ece"] == "3.12 points2.12 to 4.12 points"
    assert numbers["ood"] == "0.9640.952 to 0.976"


def test_a_row_says_verdict_range_grade_coverage_data_and_machine(full):
    source = gallery.render({"lite0": full})
    name, verdict, overall, *_ = Page(source).reports[0]
    low, high = (f"{round(end, 1):g}" for end in (full.overall.low, full.overall.high))
    assert name == "Lite0imagenet-500, 500 imagesAMD EPYC 7B13, 2 threads, float32"
    assert verdict == full.verdict.outcome + full.audit.title
    assert f'href="#m-{full.verdict.outcome}"' in source
    assert overall == f"{low} to {high}grade {full.overall.grade}4 of 11 axes"


def test_what_is_missing_is_a_dash_and_said_in_words_and_never_zero(three):
    page = Page(gallery.render(three))
    counted = page.reports[0]
    assert counted[3:6] == ["4.65 M", "399 M", "18.8 MB"]
    assert counted[6:] == [f"{DASH}not measured"] * 8
    assert page.source.count(f'<span aria-hidden="true">{DASH}</span><span class="sr">not measured</span>') == 8 + 2
    assert "None" not in page.text


def test_reports_stand_in_the_order_of_their_folders_and_are_linked(three, full):
    page = Page(gallery.render(three))
    assert [cells[0].partition("imagenet")[0] for cells in page.reports] == ["Counted", "Lite0", "Lite1"]
    folders = ["a b", "javascript:alert(1)", "p#q?r%s", "é\udcff"]
    links = [attrs["href"] for tag, attrs in Page(gallery.render(dict.fromkeys(folders, full))).tags if tag == "a"]
    assert links == [
        "a%20b/report.html",
        "javascript%3Aalert%281%29/report.html",
        "p%23q%3Fr%25s/report.html",
        "%C3%A9%FF/report.html",
    ]


def test_the_same_cards_give_the_same_bytes_in_whatever_order(three):
    assert gallery.render(three) == gallery.render(dict(reversed(three.items())))


def test_the_page_needs_nothing_but_itself_and_has_the_policy_of_the_reports(three, sample_card):
    page, report = Page(gallery.render(three)), render_report(sample_card)
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.findall(page.source) == policy.findall(report)
    assert not re.search(r"https?:|@import|url\((?!#wheel-)", page.source)
    for tag, attrs in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "form", "base", "img"}
        assert not {"src", "srcset", "action", "data"} & set(attrs)
        assert not [key for key in attrs if key.startswith("on")]


def test_the_looks_of_the_front_page_are_not_in_the_reports(sample_card):
    assert ".many" not in render_report(sample_card)


def test_text_from_outside_stays_text(card_of):
    how = dict.fromkeys(("dtype", "host", "threads"), HOSTILE)
    caveat = Caveat(id=HOSTILE, severity="critical", text=HOSTILE)
    cards = {
        HOSTILE + letter: on_host(card_of((speed_axis(how=how, caveats=(caveat,)), accuracy_axis())), letter)
        for letter in "ab"
    }
    for folder, card in cards.items():
        odd = {"subject": {"name": HOSTILE}, "dataset": {"name": HOSTILE}, "audit": {"title": HOSTILE}}
        odd["environment"] = {"cpu": HOSTILE, "device": HOSTILE}
        changed = {part: getattr(card, part).model_copy(update=fields) for part, fields in odd.items()}
        cards[folder] = card.model_copy(update=changed)
    page = Page(gallery.render(cards))
    assert not [tag for tag, _ in page.tags if tag in {"script", "img"}]
    assert {unicodedata.category(char) for char in page.source if char != "\n"}.isdisjoint({"Cc", "Cf", "Cs"})
    assert "49" not in "".join(page.pieces)
    assert page.text.count(" ".join(text.plain(HOSTILE).split())) > 12


def test_the_figure_shows_models_on_one_data_set_with_accuracy_and_latency(three):
    source = gallery.render(three)
    drawing = source.partition('<svg class="chart scatter"')[2].partition("</svg>")[0]
    assert re.findall(">([^<]+)</text>", parts(drawing, "name")) == ["Lite0", "Lite1"]
    assert 'role="img"' in drawing
    assert 'aria-label="Top-1 accuracy against median latency on ' in drawing
    assert "Lite1: top-1 accuracy 88.8 %, median latency 26.9 ms." in drawing
    assert "(ms)" in drawing
    assert "(%)" in drawing
    assert parts(drawing, "dots").count("<path") == 2
    assert parts(drawing, "spread").count("<line") == 4


@pytest.mark.parametrize("left", [["a"], ["b"], ["a", "b"], []])
def test_there_is_no_figure_without_two_models_to_compare(three, left):
    page = Page(gallery.render({folder: three[folder] for folder in left}))
    assert 'class="chart scatter"' not in page.source
    assert len(page.reports) == len(left)


def test_models_on_different_data_never_share_a_figure(three):
    other = three["c"].dataset.model_copy(update={"fingerprint": "ee" * 32})
    page = Page(gallery.render({**three, "c": three["c"].model_copy(update={"dataset": other})}))
    assert 'class="chart scatter"' not in page.source
    assert "different images are not comparable" in page.text


def test_latencies_of_different_machines_are_said_not_to_compare(three):
    assert "machine" not in Page(gallery.render(three)).text.replace("different machines", "machine 1")
    page = Page(gallery.render({**three, "c": on_host(three["c"], "e", cpu="Apple M2", threads=8)}))
    assert page.text.count("different machines are not comparable") == 3  # below the table, in and beside the figure
    assert "machine 1: AMD EPYC 7B13, 2 threads" in page.reports[1][0]
    assert "machine 2: Apple M2, 2 threads" in page.reports[2][0]  # the threads that were timed, not those of the audit
    assert re.findall(">(machine .)<", parts(page.source, "tick")) == ["machine 1", "machine 2"]


def test_a_host_that_the_timing_names_itself_counts(three, card_of, cost):
    remote = card_of((cost, speed_axis(how={**HOW, "host": "phone"}), accuracy_axis()), name="Remote")
    assert "different machines" in Page(gallery.render({**three, "c": remote})).text


def test_other_threads_on_the_same_machine_are_said_too(three, card_of, cost):
    alone = card_of((cost, speed_axis(how={"threads": 1, "dtype": "bfloat16"}), accuracy_axis()), name="Alone")
    page = Page(gallery.render({**three, "c": alone}))
    assert "same device, threads and number format" in page.text
    assert "Some of these models were timed on one machine" in page.text
    assert "1 thread, bfloat16" in page.reports[2][0]
    assert "number format" not in Page(gallery.render(three)).text, "a report without timings differs in nothing"


def test_caveats_travel_with_the_numbers_once_each_the_critical_first(three, card_of, cost):
    doubt = Caveat(id="speed.x", severity="critical", text="The clock stood still.")
    doubtful = card_of((cost, speed_axis(caveats=(doubt,)), accuracy_axis()), name="Doubtful")
    page = Page(gallery.render({**three, "c": doubtful}))
    assert page.text.count("Images may come from the training set") == 1
    assert page.text.index("The clock stood still.") < page.text.index("Images may come from the training set")
    assert "Applies to: Doubtful" in page.text
    assert "Applies to: Counted, Lite0, Doubtful" in page.text
    assert "Critical caveats: 1" in page.reports[2][1]


def test_a_latency_that_no_figure_can_hold_is_left_out_of_it(card_of, three):
    for value, unit in ((-1.0, "ms"), (1e300, "ms"), (18.0, "s")):
        odd = measured("speed.latency_ms", value, unit, "lower", stat="p50", batch=1)
        axis = AxisRecord(id="speed", version=1, status="measured", measurements=(odd,))
        page = gallery.render({**three, "c": card_of((axis, accuracy_axis()))})
        assert 'class="chart scatter"' not in page
        assert text.quantity(value, unit) in page


def test_the_kept_front_page_is_what_the_renderer_makes_of_the_kept_scorecards():
    cards = {path.parent.name: read_scorecard(path) for path in REPORTS.glob("*/scorecard.json")}
    assert gallery.render(cards).encode() == (REPORTS / "index.html").read_bytes(), "run `make gallery`"
