"""What the documentation says is so: keys, formats, commands and the example of a plug-in."""

from __future__ import annotations

import re
import sys
import tomllib
import types

import pytest

from efficiency360.business import Assumptions
from efficiency360.cli.app import run
from efficiency360.render.formats import FORMATS, GROUP, Format
from efficiency360.scorecards import read_scorecard
from efficiency360.search.constraints import Constraints
from efficiency360.spec import parse_audit


@pytest.fixture
def page(root):
    return lambda name: (root / "docs" / f"{name}.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def first_cells(text):
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_every_key_of_the_business_table_is_documented_and_no_other(page):
    assert first_cells(page("business")) == list(Assumptions.model_fields)


def test_the_example_of_a_business_table_is_valid(page):
    (example,) = blocks(page("business"), "toml")
    spec = parse_audit({"title": "x", "axes": {"speed": {}}, **tomllib.loads(example)}, "docs")
    assert spec.business.currency == "EUR"


def test_every_format_is_documented_with_its_file(page):
    rows = re.findall(r"^\| `([^`]+)` \| (\S+) \|", page("formats"), re.MULTILINE)
    assert dict(rows) == {name: kind.file for name, kind in FORMATS.items()}


def test_the_example_of_a_plug_in_works(page, sample_module, ruled_card):
    point = tomllib.loads(blocks(page("formats"), "toml")[0])["project"]["entry-points"][GROUP]
    assert point == {"tex": "my_package.tex:FORMAT"}
    (code,) = blocks(page("formats"), "python")
    module = sample_module("my_package.tex", code)
    assert isinstance(module.FORMAT, Format)
    made = module.FORMAT.render(ruled_card)
    assert "accuracy.top1 & " in made


@pytest.fixture
def sample_module(monkeypatch):
    """A module out of its source."""

    def do(name, code):
        module = types.ModuleType(name)
        exec(code, module.__dict__)  # noqa: S102 - the example of the documentation
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return do


@pytest.fixture
def ruled_card(root):
    return read_scorecard(root / "reports" / "efficientnet-lite0")


@pytest.mark.parametrize("name", ["formats", "business", "pilot", "history"])
def test_every_command_in_the_documentation_has_the_options_that_it_shows(page, name, capsys):
    for line in "\n".join(blocks(page(name), "sh")).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] != ["e360"]:
            continue
        assert run([words[1], "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in words if word.startswith("--")), line


def test_links_between_pages_lead_somewhere(root):
    for path in (root / "docs").glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+\.md)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).is_file(), (path.name, target)


def test_every_key_of_a_constraints_file_is_documented_and_no_other(page):
    tables = {
        name: kind
        for name, field in Constraints.model_fields.items()
        if hasattr(kind := field.annotation, "model_fields")
    }
    keys = {f"{name}.{key}" for name, kind in tables.items() for key in kind.model_fields}
    rows = page("search").split("## The constraints file")[1].split("##")[0]
    told = set(re.findall(r"`([\w.]+)`", "\n".join(line.split("|")[1] for line in rows.splitlines() if "|" in line)))
    assert told == keys | (Constraints.model_fields.keys() - tables.keys())
