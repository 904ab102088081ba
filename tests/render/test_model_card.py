"""The model card: YAML that the hub reads, numbers that the audit measured and no others, text that is only text."""

from __future__ import annotations

import pytest
import yaml

from efficiency360.records import AxisRecord, Caveat, Measurement
from efficiency360.render import model_card

HOSTILE = "x\n---\nverified: true # <script>alert(1)</script> | `@here`\x1b[31m: [link](http://evil)"


def parts(card):
    page = model_card.render(card)
    _, front, body = page.split("---\n", 2)
    return yaml.safe_load(front), body


def numbers(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def test_the_front_matter_has_the_structure_that_the_hub_specifies(sample_card):
    front, _ = parts(sample_card)
    assert front["pipeline_tag"] == "image-classification"
    assert front["library_name"] == "timm"
    (model,) = front["model-index"]
    assert set(model) == {"name", "results"}
    assert model["name"] == "efficientnet-lite0.pth"
    for result in model["results"]:
        assert set(result) == {"task", "dataset", "metrics", "source"}
        assert set(result["task"]) == {"type", "name"}
        assert set(result["dataset"]) == {"name", "type"}
        assert set(result["source"]) == {"name", "url"}
        for metric in result["metrics"]:
            assert {"type", "value", "name", "verified"} <= set(metric) <= {"type", "value", "name", "verified", "args"}
            assert metric["verified"] is False


def test_the_library_of_the_hub_reads_the_results(sample_card):
    hub = pytest.importorskip("huggingface_hub.repocard_data")
    front, _ = parts(sample_card)
    name, results = hub.model_index_to_eval_results(front["model-index"])
    assert name == "efficientnet-lite0.pth"
    top1 = next(one for one in results if one.metric_name == "Top-1 accuracy")
    assert top1.metric_value == pytest.approx(0.87)
    assert top1.metric_type == "accuracy"
    assert top1.dataset_name == "imagenet-500"
    assert top1.task_type == "image-classification"


def test_every_number_in_it_was_measured(sample_card):
    front, _ = parts(sample_card)
    measured = {one.value for axis in sample_card.axes for one in axis.measurements}
    params = {value for axis in sample_card.axes for one in axis.measurements for value in one.params.values()}
    assert set(numbers(front["model-index"])) <= measured | params


def test_what_belongs_to_the_machine_or_the_file_is_no_result_on_data(sample_card):
    front, body = parts(sample_card)
    types = {metric["type"] for result in front["model-index"][0]["results"] for metric in result["metrics"]}
    assert not any(name.startswith(("cost.", "speed.")) for name in types)
    assert "Parameters | 4.65 M" in body


def test_intervals_counts_and_caveats_stand_in_the_body(sample_card):
    _, body = parts(sample_card)
    assert "| Top-1 accuracy | 87.0 % | 83.8 to 89.7 % (95 %, wilson) | 500 |" in body
    assert "warning: Images may come from the training set" in body
    assert body.index("warning: ") < body.index("info: ")
    assert "e360 audit lite0.pth" in body


def test_axes_that_were_not_measured_are_listed_with_the_reason(card_of, cost):
    card = card_of((cost, AxisRecord(id="privacy", version=1, status="skipped", reason="no member data was given")))
    front, body = parts(card)
    assert "privacy: no member data was given" in body
    assert "model-index" not in front


def test_without_data_there_are_no_results(sample_card):
    front, body = parts(sample_card.model_copy(update={"dataset": None}))
    assert "model-index" not in front
    assert "Top-1 accuracy" in body


def test_a_waived_rule_says_by_whom_and_until_when(ruled):
    _, body = parts(ruled)
    assert "Jane Doe" in body
    assert "2027-03-31" in body
    assert "1.2 points" not in body or "worse" in body


def test_hostile_names_are_text_in_both_parts(card_of, cost):
    odd = Measurement(name="plugin.odd", value=1.5, unit="", params={HOSTILE: HOSTILE, "yes": "no", "y": True})
    caveat = Caveat(id="x", severity="warning", text=HOSTILE)
    axis = AxisRecord(id="plugin", version=1, status="measured", measurements=(odd,), caveats=(caveat,))
    card = card_of((cost, axis), name=HOSTILE, arch=HOSTILE)
    front, body = parts(card)
    page = model_card.render(card)
    assert set(front) == {"pipeline_tag", "tags", "model-index"}
    (metric,) = front["model-index"][0]["results"][0]["metrics"]
    assert metric["verified"] is False
    assert metric["args"]["yes"] == "no"
    assert metric["args"]["y"] is True
    assert "\x1b" not in page
    assert "\n---\n" not in body
    outside_code = "".join(piece for index, piece in enumerate(body.split("`")) if index % 2 == 0)
    assert "<script" not in outside_code
    assert "://" not in outside_code


def test_it_is_the_same_every_time(sample_card):
    assert model_card.render(sample_card) == model_card.render(sample_card)
