"""Compiled templates are kept for the next process, as Python keeps modules, and never change what a page says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment, FileSystemLoader, nodes

from efficiency360.render import html
from efficiency360.render.compiled import TEMPLATES, Compiled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


@pytest.fixture
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Says a template's text after a number of processes, and counts how often it had to be compiled."""
    done: list[str] = []
    compile_ = Environment.compile

    def counted(self, source, *args, **kwargs):
        done.append(source)
        return compile_(self, source, *args, **kwargs)

    monkeypatch.setattr(Environment, "compile", counted)

    def said(source: str) -> str:
        (tmp_path / "page.j2").write_text(source, encoding="utf-8")
        environment = Environment(loader=FileSystemLoader(tmp_path), bytecode_cache=Compiled(tmp_path), autoescape=True)
        return environment.get_template("page.j2").render(x="<1>")

    return said, done


def test_what_one_process_compiled_the_next_one_does_not(compilations, tmp_path: Path) -> None:
    said, done = compilations
    assert said("a {{ x }}") == said("a {{ x }}") == "a &lt;1&gt;"
    assert len(done) == 1
    assert [path.suffix for path in (tmp_path / "__pycache__").iterdir()] == [".pyc"]


def test_a_template_that_changed_is_compiled_again(compilations) -> None:
    said, done = compilations
    assert (said("a {{ x }}"), said("b {{ x }}")) == ("a &lt;1&gt;", "b &lt;1&gt;")
    assert len(done) == 2


@pytest.mark.parametrize("left", [b"", b"\x00", "half"])
def test_a_file_that_is_broken_is_compiled_again(compilations, tmp_path: Path, left: bytes | str) -> None:
    said, done = compilations
    said("a {{ x }}")
    (kept,) = (tmp_path / "__pycache__").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if isinstance(left, str) else left)
    assert said("a {{ x }}") == "a &lt;1&gt;"
    assert len(done) == 2
    assert kept.read_bytes() == whole


def test_nothing_is_kept_where_python_keeps_nothing(compilations, tmp_path: Path, monkeypatch) -> None:
    said, done = compilations
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert said("a {{ x }}") == said("a {{ x }}")
    assert len(done) == 2
    assert not (tmp_path / "__pycache__").exists()


def test_what_is_kept_goes_where_python_was_told_to(compilations, tmp_path: Path, monkeypatch) -> None:
    said, _ = compilations
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "elsewhere"))
    said("a {{ x }}")
    assert not (tmp_path / "__pycache__").exists()
    assert list((tmp_path / "elsewhere").rglob("page.j2*.pyc"))


def test_a_folder_that_cannot_be_written_only_costs_time(compilations, tmp_path: Path) -> None:
    said, done = compilations
    (tmp_path / "__pycache__").write_text("in the way", encoding="utf-8")
    assert said("a {{ x }}") == said("a {{ x }}") == "a &lt;1&gt;"
    assert len(done) == 2


def asked_about_constants(source: str) -> list[int]:
    """The lines on which a filter or a function would be worked out while compiling, in whatever language that is."""
    lines = []
    for node in html._environment("en").parse(source).find_all((nodes.Filter, nodes.Call, nodes.Test)):
        try:
            node.as_const()
        except nodes.Impossible:
            continue
        lines.append(node.lineno)
    return lines


def test_no_template_asks_a_filter_about_constants_only() -> None:
    assert asked_about_constants("{{ x | told }}\n{{ 'fail' | told }}") == [2]
    found = {path.name: asked_about_constants(path.read_text("utf-8")) for path in TEMPLATES.glob("*.j2")}
    assert len(found) > 20
    assert not {name: lines for name, lines in found.items() if lines}
