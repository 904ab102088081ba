"""The plan of a pilot: every rule of the audit file is in it, in both languages, with the file's own numbers."""

from __future__ import annotations

import re

import pytest

from efficiency360 import starter
from efficiency360.axes import make_axis
from efficiency360.render import plan
from efficiency360.render.wording import LANGUAGES
from efficiency360.spec import parse_audit, read_toml
from efficiency360.statistics.power import images_for_limit


@pytest.fixture
def spec(tmp_path):
    """The audit file that e360 writes, with lines replaced."""

    def do(**replaced):
        text = starter.pilot()
        for old, new in replaced.values():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "pilot.toml"
        path.write_text(text)
        return parse_audit(read_toml(path), "audits/pilot.toml")

    return do


def rendered(spec, language="en"):
    return plan.render(spec, audit="audits/pilot.toml", command="e360 audit new.pt --data val", language=language)


def table(page, head):
    """The cells of the table under a heading, row by row."""
    part = page.split(head, 1)[1].split("\n## ", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")
    ]


def test_the_audit_file_is_valid_and_its_axes_exist(spec):
    found = spec()
    for axis_id, axis in found.axes.items():
        make_axis(axis_id, axis.settings)
    assert {rule.measurement.partition(".")[0] for rule in found.rules} <= set(found.axes)
    assert found.business is not None
    assert found.inconclusive == found.without_baseline == "block"
    assert all(len(rule.rationale.split()) >= 5 for rule in (*found.rules, *found.scores))


@pytest.mark.parametrize(
    ("language", "head"), [("en", "When the pilot has succeeded"), ("ja", "\u5408\u683c\u57fa\u6e96")]
)
def test_every_rule_is_an_acceptance_criterion(spec, language, head):
    found = spec()
    rows = table(rendered(found, language), f"## {head}")
    assert [row[0].strip("`") for row in rows] == [rule.id for rule in found.rules]
    assert all(all(row) for row in rows)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_limit_that_is_changed_in_the_file_changes_in_the_plan(spec, language):
    page = rendered(
        spec(
            floor=("at_least = 0.9\n", "at_least = 0.975\n"),
            time=("at_most = 200\n", "at_most = 35\n"),
            margin=("margin = 0.01", "margin = 0.025"),
            price=("price_per_machine_hour = 0.20", "price_per_machine_hour = 7.35"),
            threads=("threads = 1 ", "threads = 6 "),
        ),
        language,
    )
    for said in ("97.5 %", "35 ms", "2.5 ", "7.35"):
        assert said in page
    assert "90.0 %" not in page
    assert "200 ms" not in page
    assert re.search(r"threads for the model: 6|\u306f 6", page)


def test_both_languages_have_the_same_sections_rows_and_commands(spec):
    english, japanese = (rendered(spec(), language) for language in LANGUAGES)
    assert english.count("\n## ") == japanese.count("\n## ")
    assert english.count("\n| ") == japanese.count("\n| ")
    assert english.count("\n- ") == japanese.count("\n- ")
    assert set(re.findall(r"`[^`]+`", english)) == set(re.findall(r"`[^`]+`", japanese)) | {"`e360 gate`"}
    assert "{" not in english + japanese


def test_the_number_of_images_is_that_of_the_sample_size_formula(spec):
    page = rendered(spec())
    assert f"about {images_for_limit(0.93, 0.9):,} images" in page


def test_without_prices_there_is_no_section_on_them(spec):
    found = spec().model_copy(update={"business": None})
    assert "What it is worth" not in rendered(found)


def test_what_stands_in_the_audit_file_is_text_in_the_plan(spec):
    evil = "x | y <script>alert(1)</script> `code` [l](http://evil)"
    found = spec()
    rule = found.rules[0].model_copy(update={"id": evil, "rationale": evil})
    page = rendered(found.model_copy(update={"rules": (rule,), "title": evil}))
    (row,) = table(page, "## When the pilot has succeeded")[:1]
    assert "<script" not in re.sub(r"`[^`]*`", "", page)
    assert "://" not in re.sub(r"`[^`]*`", "", page)
    assert len(row) >= 5


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("accuracy.top1", "proportion"),
        ("fairness.worst_group_accuracy", "proportion"),
        ("speed.latency_ms", "ms"),
        ("cost.weights_bytes", "bytes"),
        ("speed.throughput", "images/s"),
        ("uncertainty.ood_auroc", ""),
        ("plugin.odd", ""),
    ],
)
def test_units_are_those_of_the_measurements(name, unit):
    assert plan.unit_of(name) == unit


def test_the_shipped_pilot_is_japanese_in_the_japanese_plan_and_what_somebody_wrote_stays(spec):
    page = re.sub(r"`[^`]+`", "", rendered(spec(), "ja"))
    assert re.findall(r"[A-Za-z]+ [a-z]+ [a-z]+", page) == []
    mine = spec(why=("Below nine in ten right,", "Below what we promised,"))
    assert "Below what we promised, people check" in rendered(mine, "ja")
