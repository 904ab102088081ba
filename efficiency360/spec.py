"""Audit files: TOML -> `AuditSpec`. An unknown key is an error that suggests the right one."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from efficiency360.business import Assumptions
from efficiency360.errors import InputError
from efficiency360.files import is_there, sha256_json
from efficiency360.radii import DIGITS, radius
from efficiency360.records import (
    AuditRecord,
    AxisId,
    Bound,
    MeasurementName,
    Param,
    Severity,
    Waiver,
)
from efficiency360.strict import Number, Record, Settings, non_finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic_core import ErrorDetails

_LISTED = 20


def _with_radius(params: object) -> object:
    """Params with a radius such as eps = "4/255" as scorecards have it."""
    if isinstance(params, dict) and isinstance(params.get("eps"), str):
        return {**params, "eps": round(cast("float", radius(params["eps"])), DIGITS)}
    return params


Params = Annotated[dict[str, Param], BeforeValidator(_with_radius)]


class AxisSpec(Record):
    """One axis of an audit: whether the verdict needs it, and the settings it runs with."""

    required: bool = True
    settings: Settings = Field(default_factory=dict)


class ScoreSpec(Record):
    """How a measurement becomes points: `zero` earns 0, `full` earns 100, in between linear or logarithmic."""

    measurement: MeasurementName
    params: Params = Field(default_factory=dict)
    zero: Number
    full: Number
    scale: Literal["linear", "log"] = "linear"
    weight: Number = Field(default=1.0, gt=0, le=1e6, description="weight within the axis; the axes weigh the same")
    rationale: str = Field(min_length=1)

    @model_validator(mode="after")
    def _anchors_span_a_range(self) -> Self:
        if self.scale == "log" and min(self.zero, self.full) <= 0:
            raise ValueError("zero and full must be positive on a log scale")
        if self.zero == self.full or (self.scale == "log" and math.log(self.zero) == math.log(self.full)):
            raise ValueError("zero and full must differ")
        return self


class RuleSpec(Record):
    """A limit on a measurement; without `params` it holds for every measurement of that name.

    `no_worse_than_baseline` compares with another audit instead: the number may be worse by `margin` at most. For
    proportions and scores the margin is in their own unit (0.01: one point of accuracy), for times, rates, bytes and
    counts a share of the baseline (0.05: 5 %).
    """

    id: str = Field(min_length=1)
    measurement: MeasurementName
    params: Params = Field(default_factory=dict)
    at_least: Number | None = None
    at_most: Number | None = None
    no_worse_than_baseline: bool = False
    margin: Number = Field(default=0.0, ge=0)
    severity: Severity = "block"
    rationale: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is not None) + (self.at_most is not None) + self.no_worse_than_baseline != 1:
            raise ValueError("give one of at_least, at_most, or no_worse_than_baseline = true with a margin")
        if "margin" in self.model_fields_set and not self.no_worse_than_baseline:
            raise ValueError("a margin belongs to no_worse_than_baseline = true")
        return self

    @property
    def limit(self) -> float:
        """The bound's value; of a comparison with a baseline the margin."""
        bounds = (self.at_least, self.at_most, self.margin)
        return next(bound for bound in bounds if bound is not None)

    @property
    def bound(self) -> Bound:
        """Which bound it is."""
        if self.no_worse_than_baseline:
            return "no_worse_than_baseline"
        return "at_most" if self.at_least is None else "at_least"


class WaiverSpec(Waiver):
    """A waiver of the rule with this id; `expires` is a date, the last day on which it holds."""

    rule: str = Field(min_length=1)

    @field_validator("expires", mode="before")
    @classmethod
    def _a_day(cls, value: object) -> object:
        written = isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
        if written or isinstance(value, datetime) or not isinstance(value, date | str):
            raise ValueError("must be a day such as 2027-03-31")
        return value


class AuditSpec(Record):
    """A whole audit file. `inconclusive` says whether a blocking rule that cannot be decided stops the release.

    `without_baseline` says the same of blocking rules that compare with a baseline where none was given. `baseline` is
    the folder of the audit to compare with, seen from the audit file's own folder. `business` is what a year of answers
    is taken to cost.
    """

    title: str = Field(min_length=1)
    description: str = ""
    inconclusive: Literal["block", "pass"] = "block"
    without_baseline: Literal["block", "pass"] = "block"
    baseline: str | None = None
    axes: dict[AxisId, AxisSpec]
    scores: tuple[ScoreSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    waivers: tuple[WaiverSpec, ...] = ()
    business: Assumptions | None = None
    file: str = ""

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not self.axes:
            raise ValueError("no axis is named: add a table such as [axes.cost]")
        ids = [rule.id for rule in self.rules]
        if twice := {rule_id for rule_id in ids if ids.count(rule_id) > 1}:
            raise ValueError(f"rule id '{min(twice)}' is used twice")
        for index, waiver in enumerate(self.waivers, start=1):
            if waiver.rule not in ids:
                raise ValueError(f"waivers.{index}.rule: there is no rule '{waiver.rule}'{suggest(waiver.rule, ids)}")
        waived = [waiver.rule for waiver in self.waivers]
        if twice := {rule_id for rule_id in waived if waived.count(rule_id) > 1}:
            raise ValueError(f"rule '{min(twice)}' is waived twice; keep one waiver")
        return self

    @property
    def baseline_path(self) -> Path | None:
        """Where the baseline is that the file names; None where it names none."""
        return Path(self.file).parent / self.baseline if self.baseline else None

    @property
    def record(self) -> AuditRecord:
        """How the scorecard names this audit."""
        content = self.model_dump(mode="json", exclude={"file"}, exclude_defaults=True)
        return AuditRecord(title=self.title, file=self.file, fingerprint=sha256_json(content))

    def with_settings(self, overrides: Mapping[str, Mapping[str, Any]]) -> AuditSpec:
        """The same audit with some axes' settings replaced, key by key.

        Raises:
            InputError: an override names an axis that the audit does not have, or is not finite.
        """
        axes = dict(self.axes)
        for axis_id, settings in overrides.items():
            if axis_id not in axes:
                raise InputError(f"--set {axis_id}...: the audit has no axis '{axis_id}'{suggest(axis_id, axes)}")
            if (where := non_finite({axis_id: dict(settings)})) is not None:
                raise InputError(f"--set {where}: not a finite number")
            axes[axis_id] = axes[axis_id].model_copy(update={"settings": {**axes[axis_id].settings, **settings}})
        return self.model_copy(update={"axes": axes})


def suggest(word: str, known: Iterable[str]) -> str:
    """A clause to append to an error: the nearest known word, else all of them (the first twenty of many)."""
    known = list(known)
    if near := difflib.get_close_matches(word, known, n=1):
        return f"; did you mean '{near[0]}'?"
    more = f", ... ({len(known)} in all)" if len(known) > _LISTED else ""
    return f"; known: {', '.join(known[:_LISTED]) or 'none'}{more}"


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict.

    Raises:
        InputError: missing, not a file, not UTF-8, not TOML, or with a NaN or infinity in it.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # beside TOMLDecodeError: numbers too long, tables too deep
        raise InputError(f"{path}: not valid TOML: {error}") from error
    if (where := non_finite(content)) is not None:
        raise InputError(f"{path}: {where} is not a finite number")
    return content


def bundled_audits() -> Path:
    """The folder of audit files that the project ships: package data in a wheel, `audits/` in a checkout."""
    packaged = Path(__file__).parent / "audits"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "audits"


def audit_names() -> list[str]:
    """Names that `--audit` takes without a path."""
    return sorted(path.stem for path in bundled_audits().glob("*.toml"))


def audit_file(name_or_path: str) -> Path:
    """Where an audit file lies that is named as `--audit` takes it."""
    return bundled_audits() / f"{name_or_path}.toml" if name_or_path in audit_names() else Path(name_or_path)


def load_audit(name_or_path: str) -> AuditSpec:
    """Read an audit file by the name of a shipped one or by path.

    Raises:
        InputError: no such audit, or a mistake in the file, with the place and the next step.
    """
    if name_or_path in audit_names():
        return parse_audit(read_toml(audit_file(name_or_path)), name_or_path)
    path = audit_file(name_or_path)
    if not is_there(path):
        beside = [str(one) for one in path.parent.glob("*.toml")] if path.suffix else audit_names()
        raise InputError(f"no audit file '{name_or_path}'{suggest(name_or_path, beside)} (or give a path)")
    return parse_audit(read_toml(path), str(path))


def parse_audit(content: Mapping[str, Any], file: str) -> AuditSpec:
    """Check the content of an audit file; `file` is named in errors."""
    content = dict(content)
    axes = content.get("axes")
    if isinstance(axes, dict):
        content["axes"] = {key: _axis_table(table) for key, table in axes.items()}
    if "file" in content:
        raise InputError(f"{file}: unknown key 'file'{suggest('file', _KEYS[AuditSpec])}")
    try:
        return AuditSpec.model_validate({**content, "file": file})
    except ValidationError as error:
        raise InputError(f"{file}: {_first_mistake(error.errors(), AuditSpec)}") from error


def _axis_table(table: object) -> object:
    if not isinstance(table, dict):
        return table
    settings = {key: value for key, value in table.items() if key != "required"}
    return {"settings": settings, **({"required": table["required"]} if "required" in table else {})}


_KEYS: dict[type[Record], list[str]] = {
    AuditSpec: [key for key in AuditSpec.model_fields if key != "file"],
    AxisSpec: ["required"],
    ScoreSpec: list(ScoreSpec.model_fields),
    RuleSpec: list(RuleSpec.model_fields),
    WaiverSpec: list(WaiverSpec.model_fields),
    Assumptions: list(Assumptions.model_fields),
}
_TABLES: dict[str, type[Record]] = {
    "axes": AxisSpec,
    "scores": ScoreSpec,
    "rules": RuleSpec,
    "waivers": WaiverSpec,
    "business": Assumptions,
}
_PLAINLY = {
    "missing": "this key is missing",
    "tuple_type": "must be a list of tables, each under its own heading in double brackets such as [[rules]]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "greater_than_equal": "must not be negative",
    "string_too_short": "must not be empty",
    "date_from_datetime_parsing": "must be a day such as 2027-03-31",
    "string_pattern_mismatch": "must be a name such as accuracy for an axis, accuracy.top1 for a measurement",
}


def _first_mistake(errors: Sequence[ErrorDetails], root: type[Record]) -> str:
    """The first validation error as a sentence a user can act on; a misspelt key comes before the key it leaves out."""
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    loc = list(error["loc"])
    table = _TABLES.get(str(loc[0]), root) if len(loc) > 1 else root
    message = _PLAINLY.get(error["type"], error["msg"]).removeprefix("Value error, ")
    if "params" in loc[:-1]:
        del loc[loc.index("params") + 2 :]  # which of the possible types was tried first
        message = "must be text, a number, or true or false"
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in loc)
    if error["type"] == "extra_forbidden":
        return f"unknown key '{place}'{suggest(str(loc[-1]), _KEYS[table])}"
    return f"{place}: {message}" if place else message
