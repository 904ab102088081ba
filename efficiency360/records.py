"""What an audit writes down: typed, frozen, versioned, JSON in and JSON out.

Every record refuses unknown keys, NaN and infinities, so a scorecard that loads is a scorecard that can be judged.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, InstanceOf, model_validator

from efficiency360.business import Business
from efficiency360.radii import listed
from efficiency360.samples import Sample
from efficiency360.strict import Number, Points, Record, Settings, not_in_words

SCHEMA_VERSION: Final = 2

FRAMEWORK_AXES = (
    "cost",
    "speed",
    "accuracy",
    "uncertainty",
    "robustness",
    "privacy",
    "fairness",
    "transparency",
    "continual",
    "spectral",
    "inclusiveness",
)
"""The axes of the framework, in the order of the wheel. The overall score counts all of them, measured or not."""

WHAT_IFS = frozenset({"resolution"})
"""Axes of ours beside the framework: shown with their numbers, but neither on the wheel nor in the overall score."""

Better = Literal["higher", "lower"]
Outcome = Literal["pass", "fail", "inconclusive"]
Severity = Literal["block", "warn", "info"]
Bound = Literal["at_least", "at_most", "no_worse_than_baseline"]
Status = Literal["measured", "skipped", "failed"]
Grade = Literal["A", "B", "C", "D", "E"]
Param = bool | int | float | str
Cell = bool | int | float | str | None
AxisId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
MeasurementName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Interval(Record):
    """An interval for a sampled number: `low <= value <= high` at confidence `level` by the named `method`."""

    low: Number
    high: Number
    level: Number = Field(gt=0, lt=1)
    method: str

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"interval is upside down: low {self.low} > high {self.high}")
        return self


class Measurement(Record):
    """One number that an axis found.

    `better` says which direction is good (None: neither); `n` is the number of samples behind it (None: not sampled);
    `interval` covers sampling only, never the weakness of a method. `note` is what a verdict on it must also say.
    """

    name: MeasurementName
    value: Annotated[int | float, BeforeValidator(not_in_words)]
    unit: str
    better: Better | None = None
    n: int | None = Field(default=None, ge=0)
    interval: Interval | None = None
    params: dict[str, Param] = Field(default={})
    note: str = ""

    @model_validator(mode="after")
    def _proportions_are_proportions(self) -> Self:
        ends = (self.interval.low, self.interval.high) if self.interval else ()
        if self.unit == "proportion" and not all(0 <= number <= 1 for number in (self.value, *ends)):
            raise ValueError(f"{self.name} is a proportion but not within 0 and 1")
        return self

    @property
    def label(self) -> str:
        """The name with its params, as in `speed.latency_ms{batch=1, stat=p95}`."""
        params = listed(self.params)
        return f"{self.name}{{{params}}}" if params else self.name

    @property
    def pessimistic(self) -> float:
        """The end of the interval that is worse for the subject; the value itself where there is no interval."""
        if self.interval is None or self.better is None:
            return self.value
        return self.interval.low if self.better == "higher" else self.interval.high


class Series(Record):
    """A table for plots and lists: named columns of equal length."""

    name: MeasurementName
    title: str
    columns: dict[str, list[Cell]]

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if len({len(column) for column in self.columns.values()}) > 1:
            raise ValueError(f"series {self.name} has columns of different lengths")
        return self


class Caveat(Record):
    """Something that a reader must know before trusting the values beside it."""

    id: str
    severity: Literal["info", "warning", "critical"]
    text: str


class Artifact(Record):
    """A file beside the scorecard, with the hash that ties it to it."""

    path: str
    sha256: Sha256
    kind: str


class Findings(Record):
    """What an axis's `measure` returns; `samples` are what a comparison with another audit needs of its numbers."""

    measurements: tuple[Measurement, ...]
    series: tuple[Series, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    samples: tuple[InstanceOf[Sample], ...] = ()


class Environment(Record):
    """Where and with what the numbers were made.

    `host` is this one machine; `host_class` all machines with such a processor and as much memory (empty: not known).
    """

    host: Sha256
    host_class: str = ""
    cpu: str
    device: str
    threads: int
    platform: str
    versions: dict[str, str]
    seeds: dict[str, int]
    isolation: tuple[str, ...]
    started_at: str


class AxisRecord(Record):
    """One axis of a scorecard: measured, or skipped or failed for a stated reason.

    `environment` is where it was observed, if that was not where the audit ran.
    """

    id: AxisId
    version: int
    status: Status
    reason: str | None = None
    seconds: float | None = Field(default=None, ge=0)
    settings: Settings = Field(default={})
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    environment: Environment | None = None

    @model_validator(mode="after")
    def _status_and_content_agree(self) -> Self:
        if self.status == "measured" and not self.measurements:
            raise ValueError(f"axis {self.id} is measured but holds no measurement")
        if self.status != "measured" and (self.measurements or not self.reason):
            raise ValueError(f"axis {self.id} is {self.status}: it needs a reason and holds no measurements")
        return self


class SubjectRecord(Record):
    """The model that was audited. `input` is (C, H, W); `fingerprint` is the sha256 of the file's bytes.

    `artifacts` name the evidence of how it answers when it is asked again.
    """

    name: str
    file: str | None
    fingerprint: Sha256 | None
    kind: str
    arch: str | None
    num_classes: int | None
    input: tuple[int, int, int] | None
    preprocess: Settings = Field(default={})
    artifacts: tuple[Artifact, ...] = ()
    caveats: tuple[Caveat, ...] = ()


class DatasetRecord(Record):
    """The data it was audited on. `n` counts the images used, `available` those in the source.

    `artifacts` name the file that says which image is which, and their labels.
    """

    name: str
    kind: str
    fingerprint: Sha256
    n: int = Field(ge=1)
    available: int = Field(ge=1)
    groups: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    caveats: tuple[Caveat, ...] = ()


class AuditRecord(Record):
    """The audit file that was applied; `fingerprint` is over its content after overrides."""

    title: str
    file: str
    fingerprint: Sha256


class AxisScore(Record):
    """An axis's score 0-100, from the pessimistic ends of its intervals; None where nothing could be scored."""

    axis: AxisId
    score: Points | None = None
    grade: Grade | None = None


class Overall(Record):
    """The overall score as a range: what was not measured counts 0 at `low` and 100 at `high`; graded by `low`."""

    low: Points
    high: Points
    grade: Grade


class Comparison(Record):
    """How a number compares with the baseline's. `worse_by` is positive where the subject is worse.

    It is in the measurement's unit, or a share of the baseline where `relative`; `interval` covers it (None: neither
    number was sampled), by the method it names.
    """

    baseline: Number
    worse_by: Number
    interval: Interval | None
    relative: bool


class Waiver(Record):
    """Somebody's word that a rule need not hold for a while: until the end of the day `expires`."""

    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date


class Waived(Waiver):
    """A waiver on the day of the verdict: one that has expired holds no more."""

    active: bool


class RuleResult(Record):
    """One rule applied to one measurement; `measured` is None where nothing matched.

    `limit` is the margin of a rule that compares with a baseline. `needed` is how many images in all would decide an
    inconclusive rule with 80 % power, if the numbers stay what they are (None: not known).
    """

    rule: str
    severity: Severity
    outcome: Outcome
    measurement: MeasurementName
    params: dict[str, Param] = Field(default={})
    measured: Number | None
    interval: Interval | None = None
    limit: Number
    bound: Bound
    reason: str
    rationale: str
    comparison: Comparison | None = None
    needed: int | None = Field(default=None, ge=1)
    waiver: Waived | None = None

    @property
    def stands_in_the_way(self) -> bool:
        """Whether this alone keeps the subject from passing: a blocking rule that does not pass and is not waived."""
        waived = self.waiver is not None and self.waiver.active
        return self.severity == "block" and self.outcome != "pass" and not waived


class BaselineRecord(Record):
    """The scorecard that a verdict compared with, and who made it the baseline, when and why (empty: nobody did)."""

    name: str
    fingerprint: Sha256 | None
    started_at: str
    accepted_by: str = ""
    accepted_at: str = ""
    why: str = ""


class Verdict(Record):
    """Whether the subject may be released, with the rules and the sentences behind it."""

    outcome: Outcome
    reasons: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    baseline: BaselineRecord | None = None


class Judgement(Record):
    """What `judge` makes of the axes: a pure function of the records and the audit file."""

    scores: tuple[AxisScore, ...]
    overall: Overall
    coverage: float = Field(ge=0, le=1, description="share of the framework's axes that were measured")
    verdict: Verdict
    business: Business | None = None


class Scorecard(Record):
    """The whole audit."""

    schema_version: Literal[2] = SCHEMA_VERSION
    subject: SubjectRecord
    dataset: DatasetRecord | None
    environment: Environment
    audit: AuditRecord
    command: str
    axes: tuple[AxisRecord, ...]
    scores: tuple[AxisScore, ...]
    overall: Overall
    coverage: float = Field(ge=0, le=1, description="share of the framework's axes that were measured")
    verdict: Verdict
    business: Business | None = None

    @model_validator(mode="after")
    def _axes_once(self) -> Self:
        ids = [axis.id for axis in self.axes]
        if len(set(ids)) < len(ids):
            raise ValueError("an axis is listed twice")
        return self

    def axis(self, axis_id: str) -> AxisRecord | None:
        """The record of one axis, or None."""
        return next((axis for axis in self.axes if axis.id == axis_id), None)

    def judged(self, judgement: Judgement, audit: AuditRecord) -> Scorecard:
        """The same measurements under another judgement."""
        fields = {name: getattr(judgement, name) for name in Judgement.model_fields}
        return self.model_copy(update={**fields, "audit": audit})
