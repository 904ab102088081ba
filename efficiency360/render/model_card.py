"""A model card as the Hugging Face hub reads it: YAML with `model-index`, then Markdown with intervals and caveats.

The structure is that of https://github.com/huggingface/hub-docs/blob/main/modelcard.md. Nothing stands in it that was
not measured: there are no sections to fill in, and what the audit left out is listed as such.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from efficiency360.records import FRAMEWORK_AXES
from efficiency360.render import text
from efficiency360.render.github_text import code, sentence
from efficiency360.render.results import by_urgency, rule_views
from efficiency360.render.tables import notable
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from efficiency360.records import AxisRecord, Caveat, Measurement, Param, Scorecard

_NOT_OF_THE_DATA = frozenset({"cost", "speed", "resolution"})
"""Axes whose numbers belong to the model or the machine; the hub's results are all of a data set."""
_TYPES = {"accuracy.top1": "accuracy", "accuracy.top5": "accuracy", "accuracy.balanced": "balanced_accuracy"}
"""The hub's names of metrics; others go by ours."""
_TASK = {"type": "image-classification", "name": "Image Classification"}
_WORD = re.compile(r"[a-z]{4,}[a-z_-]*")
_LONGEST = 200
_SHOWN = 60


def render(card: Scorecard) -> str:
    """The card, for `README.md` in a repository of the hub; the same scorecard gives the same bytes."""
    return "\n".join(("---", *_yaml(_front(card)), "---", "", *_body(card), ""))


def _front(card: Scorecard) -> dict[str, Any]:
    front: dict[str, Any] = {"pipeline_tag": _TASK["type"], "tags": ["image-classification", "e360"]}
    if (card.subject.arch or "").startswith("timm:"):
        front["library_name"] = "timm"
    if results := _results(card):
        front["model-index"] = [{"name": _name(card.subject.name), "results": results}]
    return front


def _results(card: Scorecard) -> list[dict[str, Any]]:
    """One result on the data of the audit; none where nothing was measured on data."""
    if card.dataset is None:
        return []
    measured = (axis for axis in card.axes if axis.id not in _NOT_OF_THE_DATA)
    metrics = [_metric(one) for axis in measured for one, _ in notable(axis)]
    if not metrics:
        return []
    data = {"name": _name(card.dataset.name), "type": _name(card.dataset.name)}
    source = {"name": _name(f"e360 audit: {card.audit.title}"), "url": "scorecard.json"}
    return [{"task": _TASK, "dataset": data, "metrics": metrics, "source": source}]


def _metric(measurement: Measurement) -> dict[str, Any]:
    params = text.params(measurement)
    name = text.title(measurement.name) + (f" ({params})" if params else "")
    found: dict[str, Any] = {
        "type": _TYPES.get(measurement.name, measurement.name),
        "value": measurement.value,
        "name": _name(name),
        "verified": False,
    }
    return found | ({"args": {_name(key): _plain(one) for key, one in measurement.params.items()}} if params else {})


def _name(value: str) -> str:
    return text.plain(text.cut(value, _LONGEST)) or "not named"


def _plain(value: Param) -> Param:
    return _name(value) if isinstance(value, str) else value


def _yaml(table: dict[str, Any], indent: str = "") -> Iterator[str]:
    """A table as YAML, whose scalars are written as in JSON, which is YAML too: nothing in a name has a meaning."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield f"{indent}{_key(key)}:"
            yield from _yaml(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{_key(key)}:"
            for item in value:
                yield from _item(item, indent)
        else:
            yield f"{indent}{_key(key)}: {_scalar(value)}"


def _item(item: Any, indent: str) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"{indent}- {_scalar(item)}"
        return
    first, *others = _yaml(item, f"{indent}  ")
    yield f"{indent}- {first.removeprefix(f'{indent}  ')}"
    yield from others


def _key(name: str) -> str:
    """A key, in quotes unless it is a plain word without a meaning in YAML."""
    return name if _WORD.fullmatch(name) and name not in {"true", "false", "null"} else _scalar(name)


def _scalar(value: Param) -> str:
    return json.dumps(value, ensure_ascii=False)


def _body(card: Scorecard) -> Iterator[str]:
    subject, verdict = card.subject, card.verdict
    yield f"# {sentence(subject.name)}"
    yield ""
    measured = f"{round(card.coverage * len(FRAMEWORK_AXES))} of {len(FRAMEWORK_AXES)} axes measured"
    under = f"under {code(card.audit.title)}; {sentence(text.overall(card))}; {measured}"
    yield f"**Audit {verdict.outcome}** {under}."
    yield from _list("", verdict.reasons)
    yield from _section("The model", _facts(card))
    yield from _table("Measured", ("Measurement", "Value", "Interval", "n"), _numbers(card))
    yield from _table("Rules", ("Rule", "Limit", "Outcome"), _rules(card))
    yield from _list("## Limits of what was measured", map(_caveat, _caveats(card)))
    yield from _list(
        "## Not measured", (f"{axis.id}: {axis.reason}" for axis in card.axes if axis.status != "measured")
    )
    yield from _section("How to repeat this", [code(card.command)])


def _facts(card: Scorecard) -> Iterator[str]:
    subject, data, place = card.subject, card.dataset, card.environment
    facts = [
        ("Architecture", subject.arch),
        ("Classes", subject.num_classes and str(subject.num_classes)),
        ("Input", subject.input and " x ".join(map(str, subject.input))),
        ("SHA-256 of the file", subject.fingerprint),
        ("Data", data and f"{data.name} ({data.n:,} images, {data.fingerprint[:12]})"),
        ("Machine", f"{place.cpu}, {place.device}, {place.threads} threads"),
        ("Audited", text.day(place.started_at)),
    ]
    yield from (f"- {name}: {code(value)}" for name, value in facts if value)


def _numbers(card: Scorecard) -> Iterator[tuple[str, ...]]:
    for axis in card.axes:
        for measurement, which in notable(axis):
            params = text.params(measurement)
            name = sentence(text.title(measurement.name)) + (f" ({which})" if which else "")
            yield (
                name + (f"<br>{code(params)}" if params else ""),
                sentence(text.quantity(measurement.value, shown(measurement))),
                _around(measurement),
                "" if measurement.n is None else f"{measurement.n:,}",
            )


def _around(measurement: Measurement) -> str:
    interval = measurement.interval
    if interval is None:
        return ""
    return sentence(f"{text.spread(interval, shown(measurement))} ({100 * interval.level:.4g} %, {interval.method})")


def _rules(card: Scorecard) -> Iterator[tuple[str, ...]]:
    views = by_urgency(rule_views(card))
    for view in views[:_SHOWN]:
        result = view.result
        which = text.joined(result.params)
        limit = f"{text.title(result.measurement)} {text.limit(result, view.unit)}"
        outcome = f"{text.outcome(result)}{text.weight(result)}"
        waiver = f"; {text.waiver(result)}" if result.waiver else ""
        name = code(result.rule) + (f"<br>{code(which)}" if which else "")
        yield name, sentence(limit), sentence(outcome + waiver)
    if len(views) > _SHOWN:
        yield f"{len(views) - _SHOWN:,} more are in `scorecard.json`", "", ""


def _caveats(card: Scorecard) -> Iterable[tuple[str, Caveat]]:
    about = (*card.subject.caveats, *(card.dataset.caveats if card.dataset else ()))
    found = chain((("", one) for one in about), *(_of_axis(axis) for axis in card.axes))
    return sorted(found, key=lambda pair: ("critical", "warning", "info").index(pair[1].severity))


def _of_axis(axis: AxisRecord) -> Iterator[tuple[str, Caveat]]:
    yield from ((f"{axis.id}: ", caveat) for caveat in axis.caveats)


def _caveat(found: tuple[str, Caveat]) -> str:
    where, caveat = found
    return f"{caveat.severity}: {where}{caveat.text}"


def _list(head: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"- {sentence(item)}" for item in items]
    if lines:
        yield from ("", *([head, ""] if head else []), *lines)


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", f"## {head}", "", *lines)


def _table(head: str, heads: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    if lines:
        yield from _section(head, (f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *lines))
