"""Records refuse what could not be judged: NaN, text for numbers, unknown keys, contradictions."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from efficiency360.judge import judge
from efficiency360.records import (
    AuditRecord,
    AxisRecord,
    Caveat,
    DatasetRecord,
    Environment,
    Interval,
    Measurement,
    Scorecard,
    Series,
    SubjectRecord,
)
from efficiency360.spec import AuditSpec, AxisSpec, RuleSpec, ScoreSpec
from efficiency360.strict import non_finite

SPEC = AuditSpec(
    title="A gate",
    axes={"accuracy": AxisSpec()},
    scores=(ScoreSpec(measurement="accuracy.top1", zero=0.5, full=1, rationale="why"),),
    rules=(RuleSpec(id="floor", measurement="accuracy.top1", at_least=0.8, rationale="why"),),
)


def top1(**changed: Any) -> Measurement:
    interval = {"low": 0.83, "high": 0.9, "level": 0.95, "method": "wilson"}
    fields = {"name": "accuracy.top1", "value": 0.87, "unit": "proportion", "better": "higher", "n": 500}
    return Measurement.model_validate({**fields, "interval": interval, **changed})


def axis(**changed: Any) -> AxisRecord:
    fields = {
        "id": "accuracy",
        "version": 1,
        "status": "measured",
        "seconds": 1.5,
        "settings": {"batch_size": 8, "eps": [0.1, 0.2]},
        "measurements": (top1(params={"class": "ねこ"}),),
        "series": (Series(name="accuracy.errors", title="Errors", columns={"image": ["a"], "confidence": [0.5]}),),
        "caveats": (Caveat(id="few", severity="warning", text="Few images."),),
    }
    return AxisRecord.model_validate({**fields, **changed})


def card() -> Scorecard:
    axes = (axis(),)
    return Scorecard(
        subject=SubjectRecord(
            name="net",
            file=None,
            fingerprint="ab" * 32,
            kind="state_dict",
            arch="timm:net",
            num_classes=2,
            input=(3, 8, 8),
            preprocess={"mean": [0.5]},
        ),
        dataset=DatasetRecord(name="cats", kind="npz", fingerprint="cd" * 32, n=500, available=600),
        environment=Environment(
            host="ef" * 32,
            cpu="a processor",
            device="cpu",
            threads=1,
            platform="Linux",
            versions={"python": "3.11"},
            seeds={"audit": 0},
            isolation=(),
            started_at="2026-01-01T00:00:00+00:00",
        ),
        audit=SPEC.record,
        command="e360 audit net",
        axes=axes,
        **judge(SPEC, axes).__dict__,
    )


def replaced(path: str, value: object) -> str:
    """The card's JSON with one value replaced; `path` as in `axes.0.version`."""
    content = json.loads(card().model_dump_json())
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = content
    for part in parents:
        place = place[part]
    place[last] = value
    return json.dumps(content)


def test_a_scorecard_survives_the_way_to_json_and_back() -> None:
    assert Scorecard.model_validate_json(card().model_dump_json()) == card()


NUMBERS = [
    "axes.0.seconds",
    "axes.0.measurements.0.value",
    "axes.0.measurements.0.interval.low",
    "axes.0.measurements.0.interval.high",
    "axes.0.measurements.0.interval.level",
    "axes.0.measurements.0.params.class",
    "axes.0.series.0.columns.confidence.0",
    "axes.0.settings.batch_size",
    "axes.0.settings.eps.1",
    "subject.preprocess.mean.0",
    "scores.0.score",
    "overall.low",
    "overall.high",
    "coverage",
    "verdict.rules.0.measured",
    "verdict.rules.0.limit",
]


@pytest.mark.parametrize("path", NUMBERS)
def test_nan_and_infinity_are_refused_wherever_a_number_stands(path: str) -> None:
    for value in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(ValidationError):
            Scorecard.model_validate_json(replaced(path, value))


@pytest.mark.parametrize(
    "path",
    [
        "axes.0.measurements.0.value",
        "axes.0.measurements.0.interval.low",
        "scores.0.score",
        "overall.low",
        "verdict.rules.0.measured",
        "verdict.rules.0.limit",
    ],
)
def test_text_and_truth_values_are_not_numbers(path: str) -> None:
    for value in ("0.5", "", True, [1]):
        with pytest.raises(ValidationError):
            Scorecard.model_validate_json(replaced(path, value))


@pytest.mark.parametrize(
    "place",
    ["", "subject", "axes.0", "axes.0.measurements.0", "axes.0.measurements.0.interval", "verdict", "verdict.rules.0"],
)
def test_an_unknown_key_is_refused_at_every_level(place: str) -> None:
    with pytest.raises(ValidationError, match="surprise"):
        Scorecard.model_validate_json(replaced(f"{place}.surprise".strip("."), 1))


def test_another_schema_version_is_refused() -> None:
    with pytest.raises(ValidationError, match="schema_version"):
        Scorecard.model_validate_json(replaced("schema_version", 3))


@pytest.mark.parametrize(
    ("path", "value"), [("scores.0.score", 101), ("overall.low", -0.1), ("coverage", 1.5), ("dataset.n", 0)]
)
def test_what_is_out_of_its_range_is_refused(path: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Scorecard.model_validate_json(replaced(path, value))


def test_an_interval_upside_down_is_refused() -> None:
    with pytest.raises(ValidationError, match="upside down"):
        Interval(low=0.9, high=0.8, level=0.95, method="wilson")


def test_a_table_with_ragged_columns_is_refused() -> None:
    with pytest.raises(ValidationError, match="different lengths"):
        Series(name="accuracy.errors", title="", columns={"image": ["a", "b"], "label": ["a"]})


@pytest.mark.parametrize(
    "changed",
    [
        {"measurements": ()},
        {"status": "failed", "reason": "it crashed"},
        {"status": "skipped", "measurements": ()},
        {"status": "skipped", "measurements": (), "reason": ""},
        {"id": "Accuracy!"},
        {"seconds": -1},
        {"status": "unscored"},
    ],
)
def test_an_axis_whose_status_and_content_disagree_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        axis(**changed)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        card().coverage = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(("better", "end"), [("higher", 0.83), ("lower", 0.9), (None, 0.87)])
def test_the_pessimistic_end_is_the_one_worse_for_the_subject(better: str | None, end: float) -> None:
    assert top1(better=better).pessimistic == end


def test_a_measurement_without_an_interval_is_its_own_pessimistic_end() -> None:
    assert top1(interval=None).pessimistic == 0.87


def test_a_label_names_params_in_alphabetical_order() -> None:
    assert top1(params={"stat": "p95", "batch": 1}).label == "accuracy.top1{batch=1, stat=p95}"
    assert top1().label == "accuracy.top1"


def test_an_axis_is_found_by_its_id() -> None:
    assert card().axis("accuracy") == axis()
    assert card().axis("cost") is None


def test_judging_again_changes_the_judgement_and_nothing_else() -> None:
    before = card()
    strict = SPEC.model_copy(update={"rules": (SPEC.rules[0].model_copy(update={"at_least": 0.95}),)})
    other = AuditRecord(title="Stricter", file="strict.toml", fingerprint="12" * 32)
    after = before.judged(judge(strict, before.axes), other)
    assert (before.verdict.outcome, after.verdict.outcome) == ("pass", "fail")
    assert after.audit == other
    assert after.axes == before.axes
    assert after.subject == before.subject


def test_a_number_that_is_not_finite_is_found_at_any_depth() -> None:
    table: dict[str, Any] = {"axes": {"robustness": {"eps": [0.1, [0.2, 0.3]]}}}
    assert non_finite(table) is None
    broken = deepcopy(table)
    broken["axes"]["robustness"]["eps"][1][0] = float("inf")
    assert non_finite(broken) == "axes.robustness.eps.2.1"
    assert non_finite({"": float("nan")}) is not None
