"""English sentences that the code can put into a scorecard, read from its source as patterns with `{}` for blanks."""

from __future__ import annotations

import ast
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING

import efficiency360

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Known = dict[str, list[ast.expr]]

ROOT = Path(efficiency360.__file__).parent
ROOMS = ("axes", "dataset", "engine", "statistics", "subject")
SEVERITIES = {"info", "warning", "critical"}
BLANK = "\0"
_MOST = 64


def patterns() -> dict[str, str]:
    """Sentences with blanks as NUL, and where each stands."""
    found: dict[str, str] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for line, text in _told(tree):
                found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return found


def filled(pattern: str) -> Iterator[str]:
    """Ways in which a sentence may come out: each blank a number, or nothing."""
    pieces = pattern.split(BLANK)
    ways = product(("7", ""), repeat=len(pieces) - 1) if len(pieces) <= 8 else [["7"] * (len(pieces) - 1)]
    for way in ways:
        yield pieces[0] + "".join(blank + piece for blank, piece in zip(way, pieces[1:], strict=True))


def _told(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        known = _gathered(_assigned(tree)) | _gathered(_assigned(function))
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                for said in _sentences(node):
                    for text in _texts(said, known):
                        yield node.lineno, text


def _gathered(pairs: Iterable[tuple[str, ast.expr]]) -> Known:
    found: Known = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _assigned(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree) if isinstance(tree, ast.FunctionDef) else getattr(tree, "body", []):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _sentences(call: ast.Call) -> Iterator[ast.expr]:
    """What a call says that makes a caveat, or that raises that an axis cannot be measured."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Name) and call.func.id == "AxisError":
        yield from call.args[:1]
    elif any(_is_severity(one) for one in arguments):
        yield from (one for one in arguments if not _is_severity(one) and not _is_id(one))


def _is_severity(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_severity(node.body) or _is_severity(node.orelse)
    return isinstance(node, ast.Constant) and node.value in SEVERITIES


def _is_id(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and " " not in str(node.value)


def _texts(node: ast.expr, known: Known) -> Iterator[str]:
    """The patterns of an expression; none where it is not made of literals."""
    if isinstance(node, ast.Name) and node.id in known:
        others = {name: values for name, values in known.items() if name != node.id}
        for value in known[node.id]:
            yield from _texts(value, others)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, known)
        yield from _texts(node.orelse, known)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts = [
            [str(part.value)] if isinstance(part, ast.Constant) else _within(part, known) or [BLANK]
            for part in node.values
        ]
        yield from map("".join, islice(product(*parts), _MOST))


def _within(part: ast.expr, known: Known) -> list[str]:
    """What a blank holds where it is a text of its own, put together before."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    return [text for text in _texts(value, known) if " " in text] if isinstance(value, ast.Name) else []
