"""The PDF: the page on paper, its drawings in their colours, offline, the same bytes every time."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import cssselect2
import pytest

from efficiency360.cli.app import run
from efficiency360.errors import InputError
from efficiency360.render import pdf
from efficiency360.render.wording import words

if find_spec("weasyprint") is None:
    pytest.skip("WeasyPrint is not installed: pip install 'efficiency360[pdf]'", allow_module_level=True)

from tinyhtml5 import parse

from efficiency360.render.pdf import cascade, drawings
from efficiency360.render.pdf.prepare import prepare

SVG = drawings.SVG
PAGE = """<!DOCTYPE html><html lang="en"><head><title>t</title><style>
:root { --tone: #010203; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --tone: #000; } }
@media print { .late { fill: #0a0b0c; } }
@media (max-width: 30rem) { .late { fill: red; } }
.fail { --tone: #b3261e; color: var(--tone); }
.dot { fill: var(--tone); stroke: var(--none, #123456); }
.body { fill: currentColor; }
.hatch { fill: url(#stripes); }
.loud { fill: #111 !important; }
.loud { fill: #222; }
.columns { display: grid; }
</style></head><body>%s</body></html>"""


def prepared(body: str, **options):
    root = parse(PAGE % body, namespace_html_elements=False)
    wrapped = prepare(root, words("pdf"), **options)
    assert isinstance(wrapped, cssselect2.ElementWrapper)
    return root


def style(element) -> dict[str, str]:
    return dict(one.split(":", 1) for one in element.get("style", "").split(";") if one)


def drawn(body: str):
    root = prepared(body)
    return [one for one in root.iter() if isinstance(one.tag, str) and one.tag.startswith(SVG)]


class TestDrawings:
    def test_a_colour_from_a_variable_is_the_one_of_the_place_in_print(self):
        _, dot = drawn('<svg><circle class="dot"/></svg>')
        assert style(dot) == {"fill": "#010203", "stroke": "#123456"}
        _, dot = drawn('<p class="fail"><svg><circle class="dot"/></svg></p>')
        assert style(dot)["fill"] == "#b3261e"

    def test_rules_for_print_hold_and_those_for_small_screens_do_not(self):
        _, late = drawn('<svg><path class="late"/></svg>')
        assert style(late)["fill"] == "#0a0b0c"

    def test_what_is_important_wins(self):
        _, loud = drawn('<svg><path class="loud"/></svg>')
        assert style(loud)["fill"] == "#111"

    def test_a_variable_in_an_attribute_is_put_in_too(self):
        _, path = drawn('<svg><path fill="var(--tone)" d="M0 0"/></svg>')
        assert path.get("fill") == "#010203"

    def test_a_symbol_of_another_drawing_is_copied_and_takes_the_colour_of_where_it_is_used(self):
        sprite = '<svg><symbol id="m" viewBox="0 0 9 9"><path class="body"/></symbol></svg>'
        page = prepared(f'{sprite}<p class="fail"><svg id="here"><use href="#m"/></svg></p>')
        here = next(one for one in page.iter(f"{SVG}svg") if one.get("id") == "here")
        assert style(here)["color"] == "#b3261e"
        copied = [one for one in here.iter(f"{SVG}symbol") if one.get("id") == "m"]
        assert len(copied) == 1
        assert style(copied[0][0])["fill"] == "currentColor"

    def test_a_symbol_is_scaled_to_the_place_where_it_is_used(self):
        page = prepared('<svg><symbol id="m" viewBox="0 0 16 16"/></svg><svg id="here"><use href="#m"/></svg>')
        assert next(one for one in page.iter(f"{SVG}svg") if one.get("id") == "here").get("viewBox") == "0 0 16 16"

    def test_a_pattern_that_a_pattern_needs_comes_along_and_a_circle_of_them_ends(self):
        other = '<svg><pattern id="stripes"><use href="#line"/></pattern><path id="line" fill="url(#stripes)"/></svg>'
        page = prepared(f'{other}<svg id="here"><rect class="hatch"/></svg>')
        here = next(one for one in page.iter(f"{SVG}svg") if one.get("id") == "here")
        assert {one.get("id") for one in here.iter()} >= {"stripes", "line"}

    def test_a_variable_that_refers_to_itself_has_no_value(self):
        assert cascade.filled("var(--a)", {"--a": "var(--a)"}) == ""
        assert cascade.filled("var(--b, var(--a)) x", {"--a": "1"}) == "1 x"


class TestLayout:
    def test_a_long_folded_table_is_cut_and_says_by_how_much(self):
        rows = "".join(f"<tr><td>{index}</td><td>x</td></tr>" for index in range(500))
        table = f"<table><tbody>{rows}</tbody></table>"
        page = prepared(f"<details><summary>more</summary>{table}</details>{table}")
        folded, shown = page.iter("tbody")
        assert len(shown) == 500
        assert len(folded) == 4
        assert folded[-1][0].text == "497 more rows are in the HTML report."
        assert folded[-1][0].get("colspan") == "2"

    def test_a_table_that_is_little_longer_stays_whole(self):
        rows = "<tr><td>x</td></tr>" * 10
        page = prepared(f"<details><summary>more</summary><table><tbody>{rows}</tbody></table></details>")
        assert len(next(page.iter("tbody"))) == 10

    def test_columns_become_rows_and_small_pictures_stand_side_by_side(self):
        page = prepared('<div class="columns"><p>a</p><p>b</p></div><div class="columns"><img><img></div>')
        rows, pictures = page.iter("div")
        assert style(rows)["display"].strip() == "block"
        assert [child.get("style") for child in rows] == [None, None]
        assert all("inline-block" in child.get("style") for child in pictures)

    def test_what_stands_at_both_ends_of_a_line_still_does(self):
        body = '<h3 style="display: flex; justify-content: space-between"><span>a</span><b>1</b></h3>'
        left, right = next(prepared(body).iter("h3"))
        assert "table-cell" in left.get("style")
        assert "text-align: right" in right.get("style")
        assert next(prepared(body, plainly=True).iter("h3")).get("style").endswith("display: block")

    def test_a_mark_and_its_sentence_are_a_line_of_text(self):
        page = prepared('<p style="display: flex"><svg class="mark"/><span>passed</span></p>')
        (line,) = page.iter("p")
        assert style(line)["display"].strip() == "block"
        assert line[1].get("style") is None

    def test_a_mark_and_more_than_a_sentence_are_a_row(self):
        page = prepared('<ul><li style="display: flex"><svg class="mark"/><div><h3>a</h3><p>b</p></div></li></ul>')
        (row,) = page.iter("li")
        assert "display: table" in row.get("style")
        assert "table-cell" in row[1].get("style")

    def test_what_is_for_screens_or_read_aloud_is_gone_and_the_text_around_it_is_not(self):
        page = prepared('<p>before<span class="sr">aloud</span> after</p><nav>menu</nav><button>switch</button>')
        assert "".join(next(page.iter("body")).itertext()) == "before after"


@pytest.fixture
def asked():
    """A local server, and what was asked of it."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_nothing_is_fetched_neither_from_the_network_nor_from_the_disk(asked, tmp_path):
    address, seen = asked
    secret = tmp_path / "secret.css"
    secret.write_text("body { font-size: 99px }")
    body = f'<img src="{address}/a.png"><link rel="stylesheet" href="{address}/b.css">'
    plain = pdf.printed(PAGE % "<p>text</p>")
    assert pdf.printed(PAGE % f'{body}<svg><image href="{address}/c.png"/></svg><p>text</p>').startswith(b"%PDF-")
    assert seen == []
    assert pdf.printed(PAGE % f'<link rel="stylesheet" href="file://{secret}"><p>text</p>') == plain


def test_the_report_is_a_pdf_with_its_title_that_can_be_read_as_text(sample_card, tmp_path):
    made = pdf.render(sample_card)
    assert made.startswith(b"%PDF-")
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not installed")
    (tmp_path / "report.pdf").write_bytes(made)
    read = subprocess.run([reader, tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True)
    text = " ".join(read.stdout.split())
    for said in ("efficientnet-lite0.pth", "87.0 %", "Accuracy of a class", "more rows are in the HTML report"):
        assert said in text
    assert re.search(r"\b2 ?/ ?\d", text)


def test_the_same_scorecard_gives_the_same_bytes_in_another_process(ruled, tmp_path):
    (tmp_path / "card.json").write_text(ruled.model_dump_json(), encoding="utf-8")
    code = (
        "import sys, hashlib\n"
        "from efficiency360.records import Scorecard\n"
        "from efficiency360.render import pdf\n"
        "card = Scorecard.model_validate_json(open(sys.argv[1], encoding='utf-8').read())\n"
        "print(hashlib.sha256(pdf.render(card)).hexdigest())\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "card.json")]
    other = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert other.stdout.strip() == hashlib.sha256(pdf.render(ruled)).hexdigest()


def test_a_layout_that_is_too_much_is_tried_again_as_plain_as_it_gets(monkeypatch):
    tried = []

    def laid_out(*_, plainly):
        tried.append(plainly)
        if not plainly:
            raise AssertionError
        return b"%PDF-"

    monkeypatch.setattr(pdf, "_laid_out", laid_out)
    assert pdf.printed("page") == b"%PDF-"
    assert tried == [False, True]
    monkeypatch.setattr(pdf, "_laid_out", lambda *_, **__: {}["a box"])
    with pytest.raises(InputError, match="cannot lay this report out"):
        pdf.printed("page")


@pytest.mark.parametrize("command", [["report", "CARD"], ["gate", "CARD"], ["audit", "no-model.pt"]])
def test_without_weasyprint_one_line_says_how_to_get_it_before_anything_runs(monkeypatch, tmp_path, capsys, command):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    card = tmp_path / "scorecard.json"  # not there: what is missing is told before anything is read
    arguments = [str(card) if word == "CARD" else word for word in command]
    assert run([*arguments, "--format", "pdf"]) == 2
    assert capsys.readouterr().err == ("e360: --format pdf needs WeasyPrint: pip install 'efficiency360[pdf]'\n")


def test_without_a_japanese_font_one_line_says_so_and_no_boxes_are_printed(tmp_path):
    fonts = next(iter(Path("/usr/share/fonts").rglob("DejaVuSans.ttf")), None)
    if fonts is None:
        pytest.skip("DejaVu Sans is not installed, a font without Japanese letters: apt-get install fonts-dejavu-core")
    (tmp_path / "fonts").mkdir()
    shutil.copy(fonts, tmp_path / "fonts")
    config = f"<fontconfig><dir>{tmp_path / 'fonts'}</dir><cachedir>{tmp_path / 'cache'}</cachedir></fontconfig>"
    (tmp_path / "fonts.conf").write_text(f'<?xml version="1.0"?>{config}', encoding="utf-8")
    demo = Path(__file__).parents[2] / "reports" / "digits-demo"
    command = [sys.executable, "-m", "efficiency360", "report", str(demo), "--format", "pdf"]
    few = {**os.environ, "FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}
    asked = [*command, "--lang", "ja", "--out", str(tmp_path / "report.pdf")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=few)
    assert done.returncode == 2
    assert done.stderr == (
        "e360: --format pdf --lang ja: no font on this machine has Japanese letters; install one"
        " (Debian and Ubuntu: apt-get install fonts-noto-cjk), or use html\n"
    )
    assert not (tmp_path / "report.pdf").exists()


def test_with_a_japanese_font_nothing_is_said():
    listed = shutil.which("fc-list")
    if listed is None or not subprocess.run([listed, ":lang=ja"], capture_output=True, check=True).stdout:
        pytest.skip("no Japanese font is installed: apt-get install fonts-noto-cjk")
    pdf.check_letters("ja")
    pdf.check_letters("en")
