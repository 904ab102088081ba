"""The plan of a pilot, made from its audit file, so that no limit and no price is typed twice."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from efficiency360.records import FRAMEWORK_AXES
from efficiency360.render import text
from efficiency360.render.business import assumptions
from efficiency360.render.github_text import code, sentence
from efficiency360.render.translation import catalogue
from efficiency360.render.wording import words
from efficiency360.statistics.power import images_for_limit
from efficiency360.units import margin, quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.spec import AuditSpec, RuleSpec

    Words = Mapping[str, Any]

_ABOVE = 0.03
"""By how much a model is taken to be better than a limit, where images to prove it are counted."""
_UNITS = {
    "speed.throughput": "images/s",
    "speed.energy_j": "J",
    "cost.macs": "MACs",
    "cost.flops": "FLOPs",
    "cost.params": "parameters",
    "cost.op_coverage": "proportion",
    "uncertainty.ece": "proportion",
    "uncertainty.selective_accuracy": "proportion",
    "privacy.dp_accuracy": "proportion",
    "privacy.mia_tpr": "proportion",
}
"""Units of what limits are set on most; those of accuracies, times and bytes are in their names."""


def render(spec: AuditSpec, *, audit: str, command: str, language: str = "en") -> str:
    """The plan as Markdown; the same audit file gives the same text.

    Args:
        spec: the audit file of the pilot.
        audit: where it lies, seen from the repository.
        command: the audit of the new model as a line for the shell.
        language: `en` or `ja`.
    """
    said = words("plan", language)
    names = words("history", language)
    page = _environment().get_template(f"plan.{language}.md.j2")
    return page.render(
        title=sentence(_told(spec.title, language)),
        description=sentence(_told(spec.description or spec.title, language)),
        audit=audit,
        command=code(command).strip("`"),
        device=_device(spec, said),
        axes=said["separator"].join(names["axes"].get(axis, axis) for axis in _in_order(spec)),
        count=len(spec.axes),
        rules=[_rule(rule, said, names, language) for rule in spec.rules],
        images=[one for rule in spec.rules for one in _images(rule)],
        assumptions=list(assumptions(spec.business, words("business", language))) if spec.business else [],
    )


@cache
def _environment() -> Environment:
    """Without escapes for HTML: what comes from the audit file is escaped for Markdown."""
    return Environment(
        loader=PackageLoader("efficiency360.render"),
        autoescape=False,  # noqa: S701 - see above
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _in_order(spec: AuditSpec) -> list[str]:
    known = [axis for axis in FRAMEWORK_AXES if axis in spec.axes]
    return [*known, *(axis for axis in spec.axes if axis not in known)]


def _device(spec: AuditSpec, said: Words) -> str:
    settings = spec.axes["speed"].settings if "speed" in spec.axes else {}
    threads, batches = settings.get("threads"), settings.get("batches")
    if not isinstance(threads, int) or not isinstance(batches, list) or not batches:
        return str(said["device_open"])
    return str(said["device"].format(threads=threads, batches=said["separator"].join(map(str, batches))))


def _rule(rule: RuleSpec, said: Words, names: Words, language: str) -> dict[str, str]:
    which = _told(text.joined(dict(rule.params)), language)
    title = names["measurements"].get(rule.measurement, text.title(rule.measurement))
    return {
        "id": code(rule.id),
        "what": sentence(title) + (said["which"].format(which=sentence(which)) if which else ""),
        "limit": sentence(_limit(rule, said, language)),
        "severity": said["severity"][rule.severity],
        "rationale": sentence(_told(rule.rationale, language)),
    }


def _told(written: str, language: str) -> str:
    """What e360 ships in the language; what somebody else wrote as it is."""
    known = catalogue(language)
    return (known and known.whole(written)) or written


def _limit(rule: RuleSpec, said: Words, language: str) -> str:
    unit = unit_of(rule.measurement)
    if not rule.no_worse_than_baseline:
        return str(said[rule.bound].format(limit=_told(quantity(rule.limit, unit), language)))
    if not rule.limit:
        return str(said["no_worse_at_all"])
    return str(said[rule.bound].format(limit=_margin(rule.limit, unit, said)))


def _margin(limit: float, unit: str, said: Words) -> str:
    """What a number may be worse by; of a proportion in points."""
    if unit != "proportion":
        return margin(limit, unit, relative=unit != "")
    n = margin(limit, unit, relative=False).partition(" ")[0]
    return str(said["one_point"] if n == "1" else said["points"].format(n=n))


def unit_of(name: str) -> str:
    """The unit of a measurement by its name; empty where it is not known, or has none."""
    if name in _UNITS:
        return _UNITS[name]
    if name.endswith("_ms"):
        return "ms"
    if name.endswith("_bytes"):
        return "bytes"
    return "proportion" if "accuracy" in name or name.startswith("accuracy.") else ""


def _images(rule: RuleSpec) -> Iterator[dict[str, str]]:
    """How many images prove a limit on a plain accuracy, of a model that is a little better than that."""
    if rule.measurement != "accuracy.top1" or rule.at_least is None or not 0 < rule.at_least < 1:
        return
    truly = min(rule.at_least + _ABOVE, (1 + rule.at_least) / 2)
    if n := images_for_limit(truly, rule.at_least):
        yield {"id": code(rule.id), "n": f"{n:,}", "truly": quantity(truly, "proportion")}
