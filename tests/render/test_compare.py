"""Models side by side on a page and in a terminal: the scorecards' numbers, signed changes, verdicts in words."""

from __future__ import annotations

import io
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import pytest
from rich.cells import cell_len
from rich.console import Console

from efficiency360.audited import audited
from efficiency360.judge import comparing, pareto
from efficiency360.judge.comparing import Difference
from efficiency360.records import AxisRecord, Caveat, Interval, Measurement
from efficiency360.render import changes, compare, compare_text
from efficiency360.render import pareto as figures
from efficiency360.render.charts import scatter
from efficiency360.render.html import render as render_report
from efficiency360.scorecards import read_scorecard
from efficiency360.statistics.intervals import wilson

REPORTS = Path(__file__).parent.parent.parent / "reports"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202ecod\x1b[31m\x00{{ 7 * 7 }}&amp;[bold]{0}{x}"
VOID = {"meta", "link", "br"}
SAMPLED = Interval(low=-0.026, high=0.018, level=0.95, method="m")


class Page(HTMLParser):
    """Checks the nesting of tags; keeps attributes, text, and the cells of the first table."""

    def __init__(self, source):
        super().__init__()
        self.source, self.open, self.tags, self.rows, self.pieces, self.ids = source, [], [], [], [], []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for key, value in attrs if key == "id"]
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

    def row(self, start):
        """The cells of the first row whose head begins so."""
        return next(cells for cells in self.rows if cells[0].startswith(start))


def view_of(*cards, places=None):
    places = places or [Path(f"/reports/{index}") for index in range(len(cards))]
    table = comparing.tabulate([audited(card, Path("/nowhere")) for card in cards])
    picked = [line for column in compare.HEADLINES if (line := table.pick(column))]
    plots = pareto.plots(table.sides, figures.qualities(table), figures.costs(table))
    return compare.arrange(cards, places, table, picked, plots)


def screen(view, width=80):
    console = Console(file=io.StringIO(), width=width)
    compare_text.show(view, console)
    return console.file.getvalue()


def axis(axis_id, *numbers, **fields):
    return AxisRecord(id=axis_id, version=1, status="measured", measurements=numbers, **fields)


def costs(macs):
    return axis("cost", Measurement(name="cost.macs", value=macs, unit="MACs", better="lower"))


def latency(value, reach=0.4, **how):
    params = {"stat": "p50", "batch": 1, "threads": 2, "dtype": "float32", **how}
    interval = Interval(low=value - reach, high=value + reach, level=0.95, method="order")
    fields = {"value": value, "unit": "ms", "better": "lower", "n": 900, "interval": interval, "params": params}
    return axis("speed", Measurement(name="speed.latency_ms", **fields))


def accuracy(right, n=500, name="accuracy.top1", **fields):
    number = Measurement(
        name=name, value=right / n, unit="proportion", better="higher", n=n, interval=wilson(right, n), params=fields
    )
    return axis(name.partition(".")[0], number)


@pytest.fixture
def two(card_of):
    """Four times the work for accuracy that sampling cannot tell apart."""
    old = card_of((costs(100e6), latency(10.0), accuracy(435)), name="Old")
    return old, card_of((costs(400e6), latency(20.0), accuracy(437)), name="New")


class TestChanges:
    @pytest.mark.parametrize(
        ("value", "interval", "relative", "unit", "said"),
        [
            (0.454, (0.381, 0.529), True, "ms", ("+45.4 %", "+38.1 to +52.9 %")),
            (1.22, None, True, "MACs", ("+122 %", "")),
            (-0.004, (-0.026, 0.018), False, "proportion", ("−0.4 points", "−2.6 to +1.8 points")),  # noqa: RUF001
            (0.0, (-0.01, 0.01), False, "proportion", ("0 points", "−1 to +1 points")),  # noqa: RUF001
            (0.032, (0.0004, 0.06), False, "proportion", ("+3.2 points", "+0.04 to +6 points")),
            (0.0117, (0.0006, 0.024), False, "", ("+0.0117", "+0.0006 to +0.024")),
            (-12.0, None, False, "furlongs", ("−12 furlongs", "")),  # noqa: RUF001
        ],
    )
    def test_they_are_signed_and_in_the_unit_that_a_reader_expects(self, value, interval, relative, unit, said):
        ends = Interval(low=interval[0], high=interval[1], level=0.95, method="m") if interval else None
        found = Difference("open", value, ends, relative, 1.0)
        assert (changes.change(found, unit), changes.reach(found, unit)) == said

    @pytest.mark.parametrize("end", [0.00004, -0.00004])
    def test_an_end_that_is_not_0_never_looks_like_it(self, end):
        found = Difference("worse", 1.0, SAMPLED.model_copy(update={"low": min(end, 0.5), "high": 1}), False, 1.0)
        assert not re.match(r".?0\.0+ to", changes.reach(found, "proportion"))


class TestPage:
    def test_a_row_holds_values_intervals_changes_and_a_verdict_in_words_and_mark(self, two):
        page = Page(compare.render(view_of(*two)))
        assert page.row("MACs")[1:] == ["100 M", "400 M+300 %worse"]
        head, old, new = page.row("Top-1")
        assert "higher is better" in head
        assert old == "87.0 %83.8 to 89.7 %"
        assert new.startswith("87.4 %84.2 to 90.0 %+0.4 points")
        assert new.endswith("no difference shown")
        assert 'href="#m-inconclusive"' in page.source
        assert 'href="#m-fail"' in page.source

    def test_equal_is_said_of_exact_numbers_only(self, card_of):
        card = card_of((costs(100e6), accuracy(435)))
        page = Page(compare.render(view_of(card, card)))
        assert page.row("MACs")[2] == "100 Mthe same"
        assert page.row("Top-1")[2].endswith("no difference shown")
        assert "It does not mean that the models are equal" in page.text

    def test_what_cannot_be_compared_stands_side_by_side_with_its_reason_once(self, two, card_of):
        data = two[0].dataset.model_copy(update={"fingerprint": "77" * 32, "name": "other"})
        other = card_of((costs(1e8), accuracy(99, 100)), dataset=data, name="Elsewhere")
        view = view_of(*two, other, other.model_copy(update={"subject": two[0].subject}))
        page = Page(compare.render(view))
        assert page.row("Top-1")[3].endswith("not comparable [1]")
        assert "99.0 %" in page.row("Top-1")[3]
        (note,) = [note for note in view.notes if "data" in note.reason]
        assert note.names[0] == "Elsewhere"
        assert len(note.names) == 2
        assert page.source.count('<li id="note-1">') == 1

    def test_what_was_not_measured_is_a_dash_and_never_compared(self, two, card_of):
        page = Page(compare.render(view_of(two[0], card_of((costs(1e8),), name="Bare"))))
        assert page.row("Top-1")[2] == "\N{EN DASH}not measured"
        assert "None" not in page.text

    def test_how_often_which_verdict_came_up_is_counted(self, two):
        assert view_of(*two).tally(1) == [("worse", 2), ("open", 1)]
        assert "worse: 2" in Page(compare.render(view_of(*two))).text

    def test_what_one_side_lacks_is_counted_too_so_that_the_tally_adds_up(self, two, card_of):
        view = view_of(two[0], card_of((costs(1e8),), name="Bare"))
        assert view.tally(1) == [("same", 1), ("missing", 2)]
        assert "not measured: 2" in Page(compare.render(view)).text
        assert "not measured: 2" in " ".join(screen(view).split())

    def test_a_change_judged_by_two_intervals_is_marked_and_the_mark_explained(self, two):
        view = view_of(*two)
        page = Page(compare.render(view))
        (cell,) = [row.cells[1] for row in view.headline if row.name == "accuracy.top1"]
        assert cell.change.endswith(" *")
        assert "* As if on different images, because no samples of it are there: wider." in page.text
        assert "* As if on different images" in screen(view)
        assert "*" not in "".join(row.cells[1].change for row in view.headline if row.name != "accuracy.top1")

    def test_why_numbers_cannot_be_compared_names_the_models(self, two, card_of):
        alone = card_of((latency(20.0, threads=1),), name="Alone")
        page = Page(compare.render(view_of(two[0], alone)))
        assert "measured with threads=1, Old with threads=2" in page.text
        assert "the reference with threads" not in page.text

    def test_all_measurements_are_there_but_not_without_end(self, card_of, accuracy_of):
        cards = [card_of((accuracy_of(right=right),), name=str(right)) for right in (435, 400)]
        view = view_of(*cards)
        (section,) = view.sections
        few, classes = section.parts
        assert [row.name for row in few.shown] == ["accuracy.top1", "accuracy.top5", "accuracy.balanced"]
        assert (classes.name, classes.size) == ("accuracy.per_class", 500)
        assert len(classes.shown) + len(classes.folded) + classes.omitted == 500
        assert abs(float(classes.shown[0].weight)) == 1
        assert classes.folded[-1].weight <= classes.shown[0].weight
        assert "503 measurements of 1 axes" in Page(compare.render(view)).text

    def test_caveats_travel_with_the_numbers(self, two, card_of):
        doubt = Caveat(id="speed.x", severity="critical", text="The clock stood still.")
        doubtful = card_of((latency(9.0).model_copy(update={"caveats": (doubt,)}),), name="Doubtful")
        view = view_of(*two, doubtful)
        assert "Critical The clock stood still." in Page(compare.render(view)).text
        assert "Applies to: Doubtful" in Page(compare.render(view)).text
        assert "!! The clock stood still. (Doubtful)" in screen(view, 120)

    def test_text_from_outside_stays_text(self, card_of, two):
        caveat = Caveat(id=HOSTILE, severity="critical", text=HOSTILE)
        odd = Measurement(name="odd.number", value=2, unit=HOSTILE, params={"k": HOSTILE})
        card = card_of((*two[0].axes, axis("odd", odd, caveats=(caveat,))), name=HOSTILE)
        parts = {"dataset": {"name": HOSTILE}, "environment": {"cpu": HOSTILE, "device": HOSTILE}}
        changed = {part: getattr(card, part).model_copy(update=fields) for part, fields in parts.items()}
        view = view_of(card, card.model_copy(update=changed), two[1], places=[Path(HOSTILE), Path("/b"), Path("/c")])
        page = Page(compare.render(view))
        assert not [tag for tag, _ in page.tags if tag in {"script", "img"}]
        for said in (page.source, screen(view)):
            assert {unicodedata.category(char) for char in said if char != "\n"}.isdisjoint({"Cc", "Cf", "Cs"})
        assert "[bold]" in re.sub(r"\s", "", screen(view))

    def test_it_needs_nothing_but_itself_and_says_what_it_draws(self, two):
        page = Page(compare.render(view_of(*two)))
        policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
        assert policy.findall(page.source) == policy.findall(render_report(two[0]))
        assert not re.search(r"https?:|@import|url\((?!#wheel-)", page.source)
        for tag, attrs in page.tags:
            assert tag not in {"script", "iframe", "object", "embed", "form", "base", "img"}
            assert not [key for key in attrs if key.startswith("on")]
            assert tag != "th" or "scope" in attrs
            if attrs.get("role") == "img":
                assert attrs["aria-label"]
        assert len(page.ids) == len(set(page.ids))

    def test_the_same_cards_give_the_same_bytes(self, two):
        assert compare.render(view_of(*two)) == compare.render(view_of(*two))

    def test_audits_that_share_nothing_still_make_a_page(self, card_of):
        odd = card_of((axis("odd", Measurement(name="odd.x", value=1, unit="")),))
        view = view_of(odd, odd)
        assert "These audits share no measurement" in Page(compare.render(view)).text
        assert "These audits share no measurement" in screen(view)


class TestNames:
    def names(self, cards, *places):
        return [model.name for model in view_of(*cards, places=[PurePosixPath(place) for place in places]).models]

    def test_models_of_one_name_are_told_apart_by_their_folders(self, card_of):
        cards = [card_of((costs(1e6),), name=name) for name in ("m.pt", "m.pt", "other.pt")]
        assert self.names(cards, "/r/v1", "/r/v2", "/r/x") == ["m.pt (v1)", "m.pt (v2)", "other.pt"]

    def test_by_as_many_folders_of_the_path_as_it_takes(self, card_of):
        cards = [card_of((costs(1e6),), name="m.pt")] * 3
        assert self.names(cards, "/r/v1/out", "/r/v2/out", "/r/v2/in") == [
            "m.pt (v1/out)",
            "m.pt (v2/out)",
            "m.pt (v2/in)",
        ]


class TestFigures:
    def figure(self, *cards, title="Top-1 accuracy against MACs an image"):
        return next(figure for figure in view_of(*cards).figures if figure.words["title"] == title)

    def test_the_front_is_a_step_line_through_those_that_nobody_beats(self, card_of):
        pairs = ((100e6, 350), (200e6, 400), (300e6, 380), (400e6, 480))
        cards = [card_of((costs(macs), accuracy(right)), name=str(right)) for macs, right in pairs]
        found = self.figure(*cards)
        drawing = scatter.spec(found.drawing, found.words)
        rows = {layer["name"].rpartition("_")[0]: layer["data"]["values"] for layer in drawing["layer"]}
        path = [(row["cost"], row["quality"]) for row in rows["front"]]
        (_, low), *steps = path
        assert low == found.drawing.quality.low
        front = [(macs / 1e6, right / 5) for macs, right in pairs if right != 380]
        corners = [front[0], (front[1][0], front[0][1]), front[1], (front[2][0], front[1][1]), front[2]]
        assert steps == [pytest.approx(corner) for corner in (*corners, (400, front[2][1]))]
        assert [row["name"] for row in rows["hollow"]] == ["380"]
        assert found.words["x"] == "MACs an image (millions)"
        assert found.drawing.cost.high == 400

    @pytest.mark.parametrize(
        ("right", "says"),
        [
            (200, "Beaten by Old beyond what sampling leaves open: Loser."),
            (430, "Behind Old as measured: Loser. Sampling"),
        ],
    )
    def test_the_caption_says_who_is_beaten_and_how_sure_that_is(self, two, card_of, right, says):
        loser = card_of((costs(200e6), accuracy(right)), name="Loser")
        assert says in " ".join(remark.text for remark in self.figure(two[0], loser).remarks)
        assert says in Page(compare.render(view_of(two[0], loser))).text

    def test_names_on_one_place_keep_the_ends_that_tell_them_apart(self, card_of):
        cards = [card_of((costs(1e8), accuracy(435)), name="zoo:digits_transformer_of_old") for _ in range(2)]
        page = Page(compare.render(view_of(*cards, places=[Path("/kept/one"), Path("/kept/two")])))
        assert "old (one)" in page.text
        assert "old (two)" in page.text
        assert "No model is beaten by another on these two numbers." in page.text

    def test_other_data_and_missing_numbers_are_left_out_by_name(self, two, card_of):
        data = two[0].dataset.model_copy(update={"fingerprint": "77" * 32})
        other = card_of((costs(1e8), accuracy(99, 100)), dataset=data, name="Elsewhere")
        found = self.figure(*two, other, card_of((costs(1e6),), name="Bare"))
        assert found.names == ("Old", "New")
        said = [remark.text for remark in found.remarks]
        assert [text for text in said if text.startswith("Not drawn, because not comparable with Old: Elsewhere.")]
        assert "Not drawn, because one of the two numbers is missing: Bare." in said

    def test_other_threads_are_no_place_in_one_figure(self, two, card_of):
        alone = card_of((costs(1e8), latency(20.0, threads=1), accuracy(435)), name="Alone")
        found = self.figure(two[0], alone, title="Top-1 accuracy against median latency of one image")
        assert found.drawing is None
        assert "threads=1" in found.remarks[0].text
        assert found.remarks[0].text in Page(compare.render(view_of(two[0], alone))).text

    def test_less_is_better_of_an_error_and_the_corner_says_so(self, card_of):
        def ece(value):
            fields = {"unit": "proportion", "better": "lower", "params": {"binning": "equal_mass"}}
            return axis("uncertainty", Measurement(name="uncertainty.ece", value=value, **fields))

        cards = [card_of((costs(macs), ece(error)), name=str(macs)) for macs, error in ((1e8, 0.1), (2e8, 0.2))]
        found = self.figure(*cards, title="Calibration error against MACs an image")
        assert found.drawing.corner == "bottom"
        assert [spot.standing for spot in found.drawing.spots] == [True, False]
        assert "lower" in found.words["corner"]

    def test_a_number_that_no_figure_can_hold_is_left_out(self, two, card_of):
        for macs in (-1.0, 1e300):
            odd = card_of((costs(macs), accuracy(435)), name="Odd")
            assert self.figure(*two, odd).names == ("Old", "New")

    def test_robustness_is_drawn_where_it_was_measured(self, card_of):
        attacked = "robustness.adversarial_accuracy"
        cards = [
            card_of((costs(macs), accuracy(right, name=attacked, eps=0.1, attack="pgd")), name=str(right))
            for macs, right in ((1e8, 100), (2e8, 300))
        ]
        found = self.figure(*cards, title="Accuracy under attack against MACs an image")
        assert found.words["params"] == "attack=pgd, eps=0.1"
        assert [remark.mark for remark in found.remarks] == ["pass"]


class TestTerminal:
    @pytest.mark.parametrize("count", [2, 3, 4, 6, 9])
    @pytest.mark.parametrize("width", [50, 80, 200])
    def test_every_model_fits_into_the_width(self, two, count, width):
        cards = [
            card.model_copy(update={"subject": card.subject.model_copy(update={"name": f"model-{index}-" + "x" * 30})})
            for index, card in enumerate((two * 5)[:count])
        ]
        said = screen(view_of(*cards), width)
        assert max(map(cell_len, said.splitlines())) <= width
        for index in range(count):
            assert f"model-{index}-" in said

    def test_a_cell_says_value_interval_change_and_verdict(self, two):
        said = screen(view_of(*two))
        assert re.search(r"MACs an image ↓\s+100 M\s+400 M ▼ worse\s+\+300 %", said)
        assert re.search(r"Top-1 accuracy ↑\s+87.0 %\s+87.4 % ○ none shown\n\s+83.8 to 89.7 %\s+84.2 to 90.0 %", said)
        assert "none shown: no difference is shown" in said
        assert "−" not in said  # noqa: RUF001

    def test_why_something_cannot_be_compared_is_said_once_below(self, two, card_of):
        alone = card_of((latency(20.0, threads=1),), name="Alone")
        said = re.sub(r"\s+", " ", screen(view_of(two[0], alone, alone), 100))
        assert "✗ see [1]" in said
        assert said.count("not comparable: measured with threads=1, Old with threads=2") == 1


def test_the_kept_audits_make_a_page_with_all_their_headlines_and_figures():
    cards = [read_scorecard(REPORTS / f"efficientnet-lite{index}") for index in range(3)]
    view = view_of(*cards)
    assert [row.name for row in view.headline][:3] == ["cost.params", "cost.macs", "cost.weights_bytes"]
    assert len(view.headline) == 14
    assert len([figure for figure in view.figures if figure.drawing]) == 12
    assert [note.reason for note in view.notes] == ["of transparency.random_auc neither more nor less is better"]
    for row in view.headline:
        assert all(cell.outcome for cell in row.cells[1:])
