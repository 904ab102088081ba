"""Every sentence that a search puts into its result has a translation: those of today, and whatever is added."""

from __future__ import annotations

import ast
import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
import sentences

import efficiency360
from efficiency360.engine import host
from efficiency360.render.language import speech
from efficiency360.render.translation import Catalogue, catalogue, entries
from efficiency360.render.wording import words
from efficiency360.search import explain, inquisitor, run
from efficiency360.search.constraints import Attention, Constraints, Limits
from efficiency360.search.proxy_names import NAMES as PROXIES
from efficiency360.search.records import candidate_of
from efficiency360.search.strategies import NAMES, Proposal
from efficiency360.searched import Latency, Rung, State

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(efficiency360.__file__).parent
ELSEWHERE = {"constraints.py", "data.py", "models.py"}
"""Files whose texts go into error messages and into files of models."""
UNSAID = {
    "first rung",  # a key of [scores]
    "the architecture",  # where a mistake would be
    f"Found by e360 search; {sentences.BLANK} of {sentences.BLANK} images to choose by are right.",  # in the manifest
}
MARK = re.compile(r"[a-z]{2,}")
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def known() -> Catalogue:
    found = catalogue("ja", "texts.search")
    assert found is not None
    return found


def said() -> Iterator[tuple[str, str]]:
    """Texts in the source of the search as patterns, and where they are: all but errors, stages and documentation."""
    for path in sorted((ROOT / "search").glob("*.py")):
        if path.name not in ELSEWHERE:
            for line, text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
                yield text, f"{path.name}:{line}"


def _texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    documentation = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    stage = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "stage"
    if documentation or stage or isinstance(node, ast.Raise):
        return
    if isinstance(node, ast.JoinedStr):
        yield (
            node.lineno,
            "".join(str(one.value) if isinstance(one, ast.Constant) else sentences.BLANK for one in node.values),
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.lineno, node.value
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from _texts(child)


PATTERNS = {text: where for text, where in said() if " " in text.strip(", ") and text not in UNSAID}


@pytest.mark.parametrize(("pattern", "where"), PATTERNS.items())
def test_every_sentence_that_the_search_can_say_has_a_translation(pattern, where):
    assert any(known().whole(way) for way in sentences.filled(pattern)), f"{where}: {pattern!r}"


def test_the_look_finds_sentences_and_leaves_none_out_that_is_not_there():
    assert len(PATTERNS) > 15
    assert "promises most of what was looked at" in PATTERNS
    assert {text for text, _ in said()} >= UNSAID


def test_every_entry_can_be_said():
    """No entry outlives its sentence: what is not a pattern of the source is a word that the source makes."""
    loose = {re.sub(r"\{[^}]*\}|" + sentences.BLANK, "#", one) for one in PATTERNS} | {f"{gene}_#" for gene in STAGE}
    loose |= {"latency_p95_ms #", "memory_mb #"}  # of `key value`, with their units
    stale = [
        one["en"] for one in entries("ja", "texts.search") if re.sub(r"\{[^}]*\}", "#", one["en"]) not in loose | WORDS
    ]
    assert [one for one in stale if not any(_fits(one, pattern) for pattern in PATTERNS)] == []


def _fits(entry: str, pattern: str) -> bool:
    """Whether an entry, which may give a blank more words than the pattern, such as a unit, is a way to say it."""
    likeness = ".+".join(map(re.escape, pattern.split(sentences.BLANK)))
    return MARK.search(pattern) is not None and re.fullmatch(likeness, re.sub(r"\{[^}]*\}", "7 ms", entry)) is not None


WHOLE = {"size", "patch", "unit", "head_width", "stages"}
STAGE = {"depth", "width", "mlp_ratio", "attention", "pool"}
VALUES = {*get_args(Attention), "yes", "no", "true", "false"}
ORIGINS = {
    str(node.args[1].value)
    for path in (ROOT / "search").glob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Proposal"
    if isinstance(node.args[1], ast.Constant)
}
WORDS = WHOLE | VALUES | ORIGINS | set(Limits.model_fields) | set(run._SAID.values()) | set(inquisitor._SAID.values())


def test_every_word_in_the_blanks_has_a_translation(made):
    genes = set(made(space={"stages": [4], "size": [64], "patch": [4], "unit": [8]}).choices)
    assert genes == WHOLE | {f"{gene}_{stage}" for gene in STAGE for stage in range(1, 5)} - {"pool_1"}
    assert {"random", "advice"} <= ORIGINS
    told = {word: known().whole(word) for word in WORDS | genes}
    assert [word for word, to in told.items() if to is None or not JAPANESE.search(to)] == []


def test_names_of_what_a_record_holds_have_words():
    for language in ("en", "ja"):
        held = words("search", language)
        assert set(get_args(State)) == held["state"].keys()
        assert set(NAMES) == held["strategies"].keys()
        assert set(Limits.model_fields) == held["limit"].keys()
        assert {*PROXIES, "macs", "params", "first rung"} == held["scores"].keys()
        assert set(get_args(Attention)) <= held["picture"].keys()
        assert Constraints().title in held["titles"]


@pytest.mark.parametrize(
    "limits",
    [{"macs": 1}, {"params": 1}, {"memory_mb": 1e-9}, {"latency_p95_ms": 1e-3}, {"accuracy": 0.9}, {"macs": 1e12}, {}],
)
def test_all_advice_comes_out_in_japanese(made, seen, limits):
    space = made(limits, space={"stages": [2], "size": [16], "patch": [2], "unit": [2, 4], "width": [8, 16, 32]})
    rng, count = np.random.default_rng(0), 0
    for _ in range(20):
        look = seen(space, space.random(rng), latency_ms=1.0, p95_ms=1.5, accuracy=0.5)
        for one in inquisitor.advice(space, look, space.constraints.limits):
            told = known().whole(one.reason)
            assert told, one.reason
            assert not MARK.search(told), told
            count += 1
    assert count


@pytest.fixture
def looked(made):
    """A space whose limits bind, and candidates of it in every state."""
    space = made({"accuracy": 0.75, "latency_p95_ms": 0.5})
    rng = np.random.default_rng(1)
    ways = [
        ("trained", 0.8, 0.3),
        ("trained", 0.8, 0.2),
        ("trained", 0.5, 0.3),
        ("running", None, None),
        ("trained", 0.9, 0.9),
    ]
    genome = space.random(rng)
    near = [genome, *(other for _, other in space.neighbours(genome))]
    candidates = []
    for number, (one, (state, accuracy, ms)) in enumerate(zip(near, ways * 9, strict=False)):
        rungs = () if accuracy is None else (Rung(epochs=2, accuracy=accuracy, right=8, n=10, seconds=1.0),)
        known_ms = ms and Latency(p50_ms=ms, p95_ms=1.2 * ms, relative=1.0, runs=9)
        changes = {"number": number, "state": state, "rungs": rungs, "latency_ms": ms, "latency": known_ms}
        candidates.append(candidate_of(Proposal(one, "random"), space).model_copy(update=changes))
    return space, candidates


def test_why_neighbours_are_not_on_the_front_comes_out_in_japanese(looked):
    space, candidates = looked
    found, _ = explain.neighbours(space, candidates, candidates[:1], {candidates[1].number})
    assert len({re.sub(r"[\d.]+", "#", one.why) for one in found}) >= 4
    for one in found:
        for text in (one.change, one.why):
            told = known().whole(text)
            assert told, text
            assert not MARK.search(re.sub(r"m\d+|ms", "", told)), told


def test_the_nearest_point_comes_out_in_japanese(looked):
    space, candidates = looked
    binding = explain.nearest(space, [one for one in candidates if one.rungs and one.rungs[-1].accuracy < 0.75])
    assert "binds" in binding
    for text in (binding, explain.nearest(space, []), explain.nearest(space, candidates[:1])):
        told = known().whole(text)
        assert told, text
        assert not MARK.search(re.sub(r"limits\.\w+|m\d+|ms|--budget", "", told)), told


def test_an_entry_carries_every_blank_over():
    blank = re.compile(r"\{(\w+)(?::n|:s|:p|[!?*~]|)\}")
    found = entries("ja", "texts.search")
    for one in found:
        assert set(blank.findall(one["en"])) == set(re.findall(r"\{(\w+)\}", one["to"])), one["en"]
    assert len({one["en"] for one in found}) == len(found)


def test_every_reason_for_no_energy_comes_out_in_japanese():
    nodes = list(ast.walk(ast.parse(Path(host.__file__).read_text(encoding="utf-8"))))
    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    processor = [text for _, text in _texts(functions["_package_missing"]) if " " in text]
    gpu = [text for node in nodes if isinstance(node, ast.Call | ast.Assign) for text in _reasons(node)]
    assert len(processor) == 3
    assert len(gpu) == 6
    told = speech("ja")["told"]
    for first, second in product(processor, gpu):
        reason = f"{first}, and {second.replace(sentences.BLANK, 'NVMLError')}"
        assert JAPANESE.search(told(reason)), reason


def _reasons(node: ast.Call | ast.Assign) -> list[str]:
    """The reason that a LookupError gives, or that an attribute for reasons begins with."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LookupError":
        return [text for _, text in _texts(node.args[0])][:1]
    if (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and "missing" in ast.unparse(node.targets[0])
    ):
        return [str(node.value.value)]
    return []
