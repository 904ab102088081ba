"""Whatever a model, a data set or a file is called, no reader of any output is attacked by it."""

from __future__ import annotations

import csv as rfc4180
import io
import re
import unicodedata
from datetime import date
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from efficiency360.cli.app import run
from efficiency360.records import AxisRecord, Interval, Measurement, RuleResult, Scorecard, Series, Waived
from efficiency360.render import csv, gallery, html
from efficiency360.render.terminal import show, show_verdict
from efficiency360.strict import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "single quote": "' onmouseover='alert(1)",
    "end of title": "</title></style></svg><svg onload=alert(1)>",
    "comment": "--><!--<iframe src=javascript:alert(1)>",
    "entity": "&lt;script&gt;&#x3c;b>",
    "template": "{{ 7 * 7 }}{% raw %}{name.__class__}{0}%s%(x)s",
    "formula": "=cmd|'/c calc'!A1",
    "plus": "+1+cmd|'/c calc'!A1",
    "minus": "-1+1",
    "at": "@SUM(1+1)*cmd|'/c calc'!A1",
    "tab and formula": "\t=1+1",
    "return and formula": "\r=1+1",
    "line and formula": "\n=1+1",
    "blanks and formula": "  \u00a0=1+1",
    "quote and formula": '"=1+1',
    "cell after semicolon": 'cat;=HYPERLINK("http://evil.example")',
    "cell after comma": 'cat",=1+1,"',
    "full-width formula": "\uff1d1+1",
    "a number": "-1",
    "markup": "[bold red]cat[/] [link=https://evil.example]x[/link] [/] :smile:",
    "colours": "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07here\x1b]8;;\x07",
    "clear screen": "\x1b[2J\x1b[H\x9b2J",
    "bidirectional": "photo\u202egpj.\u2066exe\u2069\u200f",
    "zero width": "c\u200ba\u200dt\ufeff",
    "lines": "two\nlines\r\nand\x0b\x0cmore\x85\u2028\u2029",
    "nul": "a\x00b\x07\x08\x7f",
    "path": "../../etc/passwd",
    "long": "x" * 100_000,
    "long without letters": "=" * 100_000,
    "long and blank": "\t \r" * 33_000,
    "combining": "Z" + "\u0301" * 300,
}
RISKY = re.compile(r"[\s\"]*[=+@\uff1d\uff0b\uff20\uff0d-]|\s*[\t\r\n]")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")
SGR = re.compile(r"\x1b\[[0-9;]*m")


def renamed(record: Record, name: str) -> Any:
    """A record whose every free text is `name`, at any depth: new fields are included by themselves."""
    changed = {}
    for field, info in type(record).model_fields.items():
        value = getattr(record, field)
        free = info.annotation in (str, str | None) and not info.metadata
        if field == "unit" and value in ("proportion", "ms"):
            continue
        changed[field] = name if free and value is not None else _swapped(value, name)
    return record.model_copy(update=changed)


def _swapped(value: Any, name: str) -> Any:
    if isinstance(value, Record):
        return renamed(value, name)
    if isinstance(value, tuple | list):
        return type(value)(name if isinstance(item, str) else _swapped(item, name) for item in value)
    if isinstance(value, dict):
        return {
            key if key in {"batch", "stat"} else f"{name}{index or ''}": item
            if key in {"batch", "stat"}
            else name
            if isinstance(item, str)
            else _swapped(item, name)
            for index, (key, item) in enumerate(value.items())
        }
    return value


@pytest.fixture(scope="module")
def card(card_of: Callable[..., Scorecard], accuracy_of: Callable[..., AxisRecord], cost: AxisRecord) -> Scorecard:
    """A scorecard with something of everything: long tables, series, a plug-in's axis, failed and skipped ones."""
    latency = Measurement(
        name="speed.latency_ms",
        value=3.5,
        unit="ms",
        n=9,
        better="lower",
        interval=Interval(low=3, high=4, level=0.95, method="order"),
        params={"stat": "p50", "batch": 1, "dtype": "float32"},
    )
    odd = Measurement(
        name="plugin.y", value=-2.5, unit="furlongs", interval=Interval(low=-3, high=2, level=0.9, method="x")
    )
    trace = Series(name="plugin.z", title="Trace", columns={"image": ["a.png", "b.png"], "ok": [True, None]})
    axes = (
        cost,
        accuracy_of([f"class {index}" for index in range(14)], n=10, right=70),
        AxisRecord(id="speed", version=1, status="measured", measurements=(latency,)),
        AxisRecord(id="plugin", version=1, status="measured", measurements=(odd,), series=(trace,)),
        AxisRecord(id="robustness", version=1, status="failed", reason="it broke"),
        AxisRecord(id="privacy", version=1, status="skipped", reason="not now"),
    )
    made = card_of(axes)
    extra = RuleResult(
        rule="r",
        severity="block",
        outcome="pass",
        measurement="plugin.y",
        measured=-2.5,
        limit=3,
        bound="at_most",
        reason="because",
        rationale="why",
        waiver=Waived(owner="somebody", reason="later", expires=date(2027, 3, 31), active=True),
    )
    verdict = made.verdict.model_copy(update={"rules": (*made.verdict.rules, extra)})
    return made.model_copy(update={"verdict": verdict})


@pytest.fixture(params=NAMES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return NAMES[request.param]


@pytest.fixture(scope="module")
def hostile(card: Scorecard, name: str) -> Scorecard:
    return cast("Scorecard", renamed(card, name))


class Skeleton(HTMLParser):
    """The tags of a page with the names of their attributes, and whatever a browser would follow or show."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.values: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(key for key, _ in attrs)))
        self.links += [value or "" for key, value in attrs if key in {"href", "src", "action", "xlink:href"}]
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.values.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:80]}")


def report(card: Scorecard) -> str:
    return html.render(card)


def front_page(card: Scorecard) -> str:
    return gallery.render({"one": card, "two": card})


PAGES = pytest.mark.parametrize("render", [report, front_page])


@PAGES
def test_a_page_has_the_same_elements_and_attributes_whatever_the_names(
    card: Scorecard, hostile: Scorecard, render: Callable[[Scorecard], str]
) -> None:
    ordinary, page = Skeleton(render(renamed(card, "cat"))), Skeleton(render(hostile))
    assert page.tags == ordinary.tags
    assert page.links == ordinary.links
    assert not any(key.startswith("on") for _, keys in page.tags for key in keys)


@PAGES
def test_no_control_character_is_in_a_page(hostile: Scorecard, render: Callable[[Scorecard], str]) -> None:
    assert _invisible(render(hostile)) <= {"\n"}
    assert _invisible("".join(Skeleton(render(hostile)).values)) <= {"\n"}


@PAGES
def test_a_name_without_an_end_does_not_make_a_page_without_one(
    card: Scorecard, render: Callable[[Scorecard], str]
) -> None:
    assert len(render(renamed(card, NAMES["long"]))) < 60 * len(NAMES["long"])


def test_a_gallery_links_only_into_its_own_folders(card: Scorecard) -> None:
    folders = [name for name in NAMES.values() if name and "\0" not in name and len(name) < 200]
    folders += ["javascript:alert(1)", "https://evil.example", "\udcff\udcfe"]
    page = Skeleton(gallery.render(dict.fromkeys(folders, card)))
    reports = [link for link in page.links if link.endswith("report.html")]
    assert len(reports) == len(folders)
    for link in reports:
        assert re.fullmatch(r"[A-Za-z0-9._~%-]+/report\.html", link)


def on_screen(card: Scorecard, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=80, **options)
    show(card, console)
    show_verdict(card.verdict, console)
    return cast("io.StringIO", console.file).getvalue()


def test_a_terminal_gets_no_control_character(hostile: Scorecard) -> None:
    assert _invisible(on_screen(hostile)) == {"\n"}


def test_a_coloured_terminal_gets_only_our_own_colours(card: Scorecard, hostile: Scorecard) -> None:
    colours = {"force_terminal": True, "color_system": "standard", "legacy_windows": False}
    ours = set(SGR.findall(on_screen(renamed(card, "cat"), **colours)))
    said = on_screen(hostile, **colours)
    assert set(SGR.findall(said)) <= ours
    assert _invisible(SGR.sub("", said)) == {"\n"}


def test_markup_is_shown_in_a_terminal_and_not_obeyed(card: Scorecard) -> None:
    said = "".join(on_screen(renamed(card, NAMES["markup"])).split())
    for word in ("[boldred]cat[/]", "[link=https://evil.example]", ":smile:"):
        assert word in said


def test_a_name_without_an_end_does_not_push_the_rest_off_the_screen(card: Scorecard) -> None:
    assert on_screen(renamed(card, NAMES["long"])).count("\n") < 1500


def rows(card: Scorecard) -> list[dict[str, str]]:
    return list(rfc4180.DictReader(io.StringIO(csv.render(card), newline=""), strict=True))


def test_a_spreadsheet_computes_nothing(hostile: Scorecard) -> None:
    cells = [cell for row in rows(hostile) for cell in row.values()]
    for cell in cells:
        assert NUMBER.fullmatch(cell) or not RISKY.match(cell), cell[:80]
    for cell in cells:
        for piece in re.split("[;,|]", cell):
            assert NUMBER.fullmatch(piece.strip()) or not RISKY.match(piece), cell[:80]


def test_a_table_keeps_its_shape_whatever_the_names(card: Scorecard, hostile: Scorecard) -> None:
    text = csv.render(hostile)
    assert _invisible(text) <= {"\r", "\n"}
    table = rows(hostile)
    assert [row["name"] for row in table] == [m.name for axis in card.axes for m in axis.measurements]
    assert {tuple(row) for row in table} == {csv.COLUMNS}


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\rcat", "  =1", '"=1', "\uff1d1", "-", "+"]
)
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert csv.harmless(cell).lstrip(' "').startswith("'")
    assert csv.harmless(csv.harmless(cell)) == csv.harmless(cell)


@pytest.mark.parametrize(
    "cell", ["", "cat", "-1", "+2.5", "-1e-05", "0.1", "k=1, x=-1", "a-b", "n02 / tabby, grey", "犬"]
)
def test_an_ordinary_cell_stays_as_it_is(cell: str) -> None:
    assert csv.harmless(cell) == cell


def test_the_table_says_everything_about_a_measurement(card: Scorecard) -> None:
    table = rows(card)
    worst = next(row for row in table if row["name"] == "speed.latency_ms")
    assert worst == {
        "axis": "speed",
        "name": "speed.latency_ms",
        "params": "batch=1, dtype=float32, stat=p50",
        "value": "3.5",
        "unit": "ms",
        "n": "9",
        "low": "3.0",
        "high": "4.0",
        "level": "0.95",
        "better": "lower",
        "caveats": "subject.weights data.maybe_training",
        **dict.fromkeys(("baseline", "worse_by", "worse_low", "worse_high", "worse_relative", "rules"), ""),
    }
    parameters = next(row for row in table if row["name"] == "cost.params")
    assert (parameters["value"], parameters["n"], parameters["low"]) == ("4652008", "", "")
    assert parameters["caveats"].split()[0] == "cost.convention"


def test_the_table_says_what_came_of_the_rules_and_of_the_comparison(ruled: Scorecard) -> None:
    (top1,) = (row for row in rows(ruled) if row["name"] == "accuracy.top1")
    assert (top1["baseline"], top1["worse_by"], top1["worse_relative"]) == ("0.679", "0.012", "false")
    assert (top1["worse_low"], top1["worse_high"]) == ("0.003", "0.021")
    assert "accuracy-floor: pass; no-drop: inconclusive" in top1["rules"]
    assert "waived-floor: fail, waived (waived until 2027-03-31 by Jane Doe: new data come in March)" in top1["rules"]
    (latency,) = (row for row in rows(ruled) if row["name"] == "speed.latency_ms")
    assert latency["worse_relative"] == "true"


def test_no_cell_is_longer_than_a_spreadsheet_takes(hostile: Scorecard) -> None:
    assert max(len(cell) for row in rows(hostile) for cell in row.values()) <= 32_767


def test_the_same_scorecard_gives_the_same_table(card: Scorecard) -> None:
    assert csv.render(card) == csv.render(Scorecard.model_validate_json(card.model_dump_json()))
    assert csv.render(card).endswith("\r\n")


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path, card: Scorecard) -> Path:
        folder = tmp_path / "a\x1b[31m\n[bold]b"
        folder.mkdir()
        (folder / "scorecard.json").write_text(renamed(card, NAMES["formula"]).model_dump_json())
        return folder

    @pytest.mark.parametrize(
        ("options", "file"), [((), "report.html"), (("--format", "csv"), "measurements.csv")], ids=["html", "csv"]
    )
    def test_a_report_lies_beside_its_scorecard_and_its_path_is_shown_on_one_line(
        self, folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], file: str
    ) -> None:
        assert run(["report", str(folder), *options]) == 0
        assert (folder / file).is_file()
        said = capsys.readouterr().out
        assert said.count("\n") == 1
        assert _invisible(said) == {"\n"}

    def test_a_table_goes_where_it_is_told(self, folder: Path, tmp_path: Path, card: Scorecard) -> None:
        out = tmp_path / "deep" / "m.csv"
        assert run(["report", str(folder / "scorecard.json"), "--format", "csv", "--out", str(out)]) == 0
        assert out.read_bytes() == csv.render(renamed(card, NAMES["formula"])).encode()

    def test_a_format_that_there_is_not_is_named_with_those_there_are(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["report", str(folder), "--format", "xls"]) == 2
        complaint = capsys.readouterr().err
        assert "known: html, pdf, json, csv" in complaint
        assert complaint.count("\n") == 1


def _invisible(text: str) -> set[str]:
    """Characters that a reader does not see, or that move what is read."""

    def found() -> Iterator[str]:
        yield from (char for char in set(text) if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"})

    return set(found())
