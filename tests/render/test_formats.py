"""The registry of formats: each is there, each has a file of its own, none is slow to import; plug-ins join it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from efficiency360.cli.app import run
from efficiency360.errors import InputError
from efficiency360.records import Scorecard
from efficiency360.render import formats
from efficiency360.render.formats import FORMATS, Format, content, find, plugins

TEXTS = [name for name in FORMATS if name not in {"pdf", "badge"}]
"""Formats that hold all there is to say; the PDF and the badge have tests of their own."""


def test_every_format_has_a_file_of_its_own_and_a_line_about_it():
    assert list(FORMATS) == ["html", "pdf", "json", "csv", "junit", "sarif", "markdown", "model-card", "badge"]
    assert len({found.file for found in FORMATS.values()}) == len(FORMATS)
    for found in FORMATS.values():
        assert 0 < len(found.description) < 80


@pytest.mark.parametrize("name", [*TEXTS, "badge"])
def test_every_format_renders_a_scorecard(ruled, name):
    page = FORMATS[name].render(ruled)
    assert page.endswith("\n")
    assert "efficientnet-lite0" in page or name in {"csv", "badge"}


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "model-card"])
def test_a_waiver_and_the_comparison_are_in_every_format(ruled, name):
    page = FORMATS[name].render(ruled)
    assert "Jane Doe" in page
    assert "2027-03-31" in page
    assert "2026-01-31" in page
    assert name in {"junit", "sarif"} or "0.012" in page or "1.2 points worse" in page


def test_the_json_is_the_scorecard(ruled):
    assert Scorecard.model_validate(json.loads(FORMATS["json"].render(ruled))) == ruled


@pytest.mark.parametrize("name", [*TEXTS, "badge"])
def test_no_format_imports_what_is_slow(ruled, tmp_path, name):
    (tmp_path / "card.json").write_text(ruled.model_dump_json(), encoding="utf-8")
    code = (
        "import sys\n"
        "from efficiency360.records import Scorecard\n"
        "from efficiency360.render.formats import FORMATS\n"
        "card = Scorecard.model_validate_json(open(sys.argv[1], encoding='utf-8').read())\n"
        "FORMATS[sys.argv[2]].render(card)\n"
        "print(*sorted({'torch', 'scipy', 'numpy', 'pandas', 'weasyprint'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "card.json"), name]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {"torch", "scipy", "pandas", "weasyprint"}.isdisjoint(found)


PLUGIN = """
from efficiency360.render.formats import Format

TEX = Format("report.tex", "for papers", "{module}")
RAW = Format("report.raw", "as bytes", "{module}_raw")
ODD = Format("report.odd", "returns a number", "{module}_odd")
BROKEN = Format("report.broken", "breaks off", "{module}_broken")
THIEF = Format("scorecard.json", "writes over ours", "{module}")
OUTSIDE = Format("../report.tex", "leaves the folder", "{module}")
NOTHING = "no format"

def render(card):
    return f"\\\\title{{{{{{card.subject.name}}}}}}\\n"
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Pretend that packages with these entry points are installed: names of formats and what they point at."""
    module = f"plugin_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(PLUGIN.format(module=module))
    (tmp_path / f"{module}_raw.py").write_text("def render(card): return bytes([0, 255])")
    (tmp_path / f"{module}_odd.py").write_text("def render(card): return 3")
    (tmp_path / f"{module}_broken.py").write_text("def render(card): raise RuntimeError('out of ink')")
    monkeypatch.syspath_prepend(tmp_path)

    def do(*points):
        made = [EntryPoint(name, value.replace("PLUGIN", module), formats.GROUP) for name, value in points]
        monkeypatch.setattr(formats, "entry_points", lambda group: made if group == formats.GROUP else [])
        plugins.cache_clear()

    yield do
    plugins.cache_clear()


@pytest.fixture
def card_file(ruled, tmp_path):
    path = tmp_path / "result" / "scorecard.json"
    path.parent.mkdir()
    path.write_text(ruled.model_dump_json(), encoding="utf-8")
    return path


def test_a_plug_in_adds_a_format_that_is_listed_and_written_beside_ours(install, card_file, capsys):
    install(("tex", "PLUGIN:TEX"), ("raw", "PLUGIN:RAW"))
    assert run(["report", str(card_file), "--format", "tex"]) == 0
    assert (card_file.parent / "report.tex").read_text() == "\\title{efficientnet-lite0.pth}\n"
    assert content("raw", find("raw"), None) == b"\x00\xff"
    capsys.readouterr()
    assert run(["list"]) == 0
    assert "report.tex: for papers (plug-in)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("point", "said"),
    [
        (("gone", "no_such_package_at_all:X"), "does not load (ModuleNotFoundError"),
        (("gone", "PLUGIN:NOT_THERE"), "does not load (AttributeError"),
        (("nothing", "PLUGIN:NOTHING"), "is no efficiency360.render.formats.Format"),
        (("thief", "PLUGIN:THIEF"), "would write over scorecard.json"),
        (("outside", "PLUGIN:OUTSIDE"), "is not the name of a file"),
    ],
)
def test_a_broken_plug_in_is_one_clear_line_and_nothing_else_is_lost(install, card_file, capsys, point, said):
    name, _ = point
    install(point, ("tex", "PLUGIN:TEX"))
    with pytest.raises(InputError) as caught:
        find(name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    before = card_file.read_bytes()
    assert run(["report", str(card_file), "--format", name]) == 2
    assert run(["report", str(card_file), "--format", "tex"]) == 0
    assert card_file.read_bytes() == before
    capsys.readouterr()
    assert run(["list"]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "not usable: " in listed
    assert "report.tex" in listed


def test_a_name_of_ours_stays_ours_and_the_list_says_so(install, ruled, capsys):
    install(("csv", "PLUGIN:TEX"), ("github", "PLUGIN:TEX"))
    assert find("csv") is FORMATS["csv"]
    assert content("csv", find("csv"), ruled).startswith(b"axis,")
    assert run(["list"]) == 0
    assert "the name is taken by e360's own format" in " ".join(capsys.readouterr().out.split())


def test_two_packages_with_one_name_are_told_apart_by_the_user(install):
    install(("tex", "PLUGIN:TEX"), ("tex", "PLUGIN:RAW"))
    with pytest.raises(InputError, match="several packages offer it"):
        find("tex")


@pytest.mark.parametrize(("name", "said"), [("broken", "out of ink"), ("odd", "neither text nor bytes")])
def test_a_plug_in_that_breaks_off_costs_no_other_format(install, card_file, capsys, name, said):
    install((name, f"PLUGIN:{name.upper()}"))
    folder = card_file.parent
    assert run(["gate", str(folder), "--no-recompute", "--audit", "quick", "--format", f"{name},csv"]) == 2
    assert said in capsys.readouterr().err
    assert (folder / "measurements.csv").exists()


def test_a_name_that_nobody_offers_gets_the_nearest_suggested(install):
    install(("latex", "PLUGIN:TEX"))
    with pytest.raises(InputError, match="did you mean 'latex'"):
        find("latx")


def test_a_format_of_ours_is_made_of_fields_that_a_plug_in_has_too():
    assert isinstance(FORMATS["html"], Format)
    assert all(found.module.startswith("efficiency360.") for found in FORMATS.values())
