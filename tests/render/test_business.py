"""Cost and savings in every output: whole sentences in both languages, ranges, reasons, and nothing made up."""

from __future__ import annotations

import csv as rfc4180
import io
import re
import string
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

import efficiency360.render
from efficiency360.business import Amount, Assumptions, Business, Gap, Payback, Yearly
from efficiency360.render import csv, html, markdown
from efficiency360.render.business import business
from efficiency360.render.money import amount_of, approximately, money
from efficiency360.render.terminal import show
from efficiency360.render.wording import LANGUAGES, words

TEMPLATES = Path(efficiency360.render.__file__).parent / "templates"
ASSUMED = Assumptions(
    currency="JPY",
    images_per_day=1_000_000,
    utilisation=0.5,
    price_per_machine_hour=300,
    price_per_kwh=30,
    migration_cost=500_000,
)


def amount(value: float, low: float, high: float, level: float | None = 0.95) -> Amount:
    return Amount(value=value, low=low, high=high, level=level)


def costs(**changed: object) -> Business:
    hours, machines = amount(2028, 1622, 2535), amount(608_400, 486_600, 760_500)
    yearly = Yearly(machine_hours=hours, machines=machines, total=machines)
    gap = Gap(what="energy", why="there is no counter")
    fields = {"assumptions": ASSUMED, "timed": "speed.throughput{batch=1}", "yearly": yearly, "missing": (gap,)}
    return Business.model_validate({**fields, **changed})


def saving(*ends: float, paid: tuple[float | None, float | None, float | None] = (None, None, None)) -> Business:
    """A saving by its low end, middle and high end; `paid` is the years likewise, from the soonest."""
    low, middle, high = ends
    soonest, years, latest = paid
    return costs(
        compared=True,
        baseline=costs().yearly,
        saving=amount(middle, low, high, 0.9),
        saved=("machines",),
        payback=Payback(value=years, low=soonest, high=latest),
    )


@pytest.fixture
def priced(sample_card):
    return lambda found: sample_card.model_copy(update={"business": found})


@pytest.fixture
def lead(priced):
    return lambda found, language="en": business(priced(found), words("business", language)).lead


def _texts(table: dict, path: str = ""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _texts(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_japanese_is_japanese_and_its_sentences_end_as_sentences_do():
    for key, text in _texts(words("business", "ja")):
        if key.split(".")[0] not in {"format", "range", "dash"}:
            assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text), key
        if key.split(".")[0] in {"cost", "saving", "payback"}:
            assert text.endswith("。"), key


def test_without_prices_there_is_no_section(sample_card):
    assert business(sample_card, words("business")) is None
    assert "business" not in csv.render(sample_card)
    assert "costs a year" not in markdown.render(sample_card)


def test_the_cost_is_told_with_its_range_and_with_what_it_leaves_out(lead):
    said = lead(costs())[0]
    assert "365,000,000 images" in said
    assert "JPY 608,400 (JPY 486,600 to 760,500)" in said
    assert "energy costs is not in this figure" in said
    assert "608,400 \u5186\uff08486,600\uff5e760,500 \u5186\uff09" in lead(costs(), "ja")[0]


def test_what_was_not_measured_is_neither_a_number_nor_zero(priced, lead):
    nothing = costs(yearly=Yearly(), timed="", missing=(Gap(what="machines", why="it was skipped"),))
    assert "cannot be said" in lead(nothing)[0]
    view = business(priced(nothing), words("business"))
    cells = {row.label: row.cells[0] for row in view.rows}
    assert cells["Energy"].value == "not measurable here"
    assert not any(cell.range or "0" in cell.value for cell in cells.values())
    assert "Machines are not in the cost: it was skipped." in view.notes


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (saving(100, 200, 300), "this model saves JPY 200 (JPY 100 to 300) a year"),
        (saving(-300, -200, -100), "costs JPY 200 (JPY 100 to 300) a year more"),
        (saving(-50, 200, 300), "not decided whether this model is cheaper"),
        (saving(0, 0, 0), "saves nothing on machines"),
        (costs(compared=True), "cannot be said; the reasons stand below"),
        (costs(), "no baseline to compare with"),
    ],
)
def test_a_saving_is_told_as_what_it_is(lead, found, said):
    assert said in lead(found)[1]


@pytest.mark.parametrize(
    ("paid", "said"),
    [
        ((1.25, 2.5, 5), "after 2.5 years (1.2 to 5.0 years)"),
        ((8, 12.4, None), "after 8.0 years at the soonest"),
        ((8, None, None), "after 8.0 years at the soonest"),
        ((None, None, None), "never pays for itself within the range"),
    ],
)
def test_a_migration_pays_after_a_range_of_years_or_never(lead, paid, said):
    assert said in lead(saving(100, 200, 300, paid=paid))[2]


def test_all_assumptions_are_listed_those_that_are_not_stated_too(priced):
    for language in LANGUAGES:
        view = business(priced(costs()), words("business", language))
        assert len(view.assumptions) == len(Assumptions.model_fields) - 1  # the currency stands with the prices
        assert all(one.value for one in view.assumptions)
    english = {one.label: one.value for one in business(priced(costs()), words("business")).assumptions}
    assert english["Price of a kilowatt-hour"] == "JPY 30"
    assert english["Share of its paid time in which a machine answers"] == "50 %"
    assert english["Machines that are there and paid"] == "as many as it takes, paid by use"


def test_what_the_figures_rest_on_is_said(priced):
    tight = costs(
        assumptions=ASSUMED.model_copy(update={"devices": 2}),
        yearly=costs().yearly.model_copy(update={"devices_needed": amount(2, 1, 3)}),
        timed="speed.latency_ms{batch=1}",
        doubts=("The machine was busy.",),
        uncompared=(Gap(what="machines", why="the hardware differs"),),
    )
    notes = " ".join(business(priced(tight), words("business")).notes)
    for said in ("in doubt: The machine was busy.", "AMD EPYC 7B13", "median latency", "may not carry this load"):
        assert said in notes
    assert "not in the saving: the hardware differs." in notes
    assert "at least 95 %" in notes


def test_the_terminal_and_the_summary_tell_it_within_their_bounds(priced):
    page = io.StringIO()
    show(priced(saving(100, 200, 300, paid=(1.25, 2.5, 5))), Console(file=page, width=80))
    told = " ".join(page.getvalue().split())
    assert "this model saves JPY 200" in told
    assert max(map(len, page.getvalue().splitlines())) <= 80
    summary = markdown.render(priced(saving(100, 200, 300)))
    assert "this model saves JPY 200" in summary
    assert len(summary) <= markdown.COMMENT


def test_the_spreadsheet_has_a_row_a_figure_and_none_for_what_is_not_known(priced):
    page = csv.render(priced(saving(100, 200, 300, paid=(1.25, 2.5, None))))
    rows = {row["name"]: row for row in rfc4180.DictReader(io.StringIO(page)) if row["axis"] == "business"}
    assert rows["business.machines"]["unit"] == "JPY"
    assert float(rows["business.machines"]["high"]) == 760_500
    assert rows["business.machine_hours_baseline"]["unit"] == "h"
    assert (rows["business.payback"]["value"], rows["business.payback"]["high"]) == ("2.5", "")
    assert not any("energy" in name for name in rows)


def test_hostile_reasons_are_text_on_the_page(priced):
    evil = costs(missing=(Gap(what="energy", why="<script>alert(1)</script>\x1b[31m"),))
    view = business(priced(evil), words("business"))
    page = html.fill("business.html.j2", page=SimpleNamespace(business=view))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert all(f">{row.cells[0].value}" in page for row in view.rows)


@pytest.mark.parametrize(
    ("value", "said"), [(1234.5, "1,234"), (99.994, "99.99"), (12, "12"), (0.004, "0.004"), (0, "0"), (-250, "-250")]
)
def test_amounts_have_the_digits_that_a_reader_can_use(value, said):
    assert amount_of(value) == said


def test_times_are_as_exact_as_they_are_known():
    assert [approximately(value) for value in (0, 0.853, 1, 9.64, 13.79, 1234.5)] == [
        "0",
        "0.85",
        "1.0",
        "9.6",
        "14",
        "1,234",
    ]


def test_money_is_written_as_the_language_writes_it():
    assert [money(1500, "JPY", words("business", language)) for language in LANGUAGES] == ["JPY 1,500", "1,500 \u5186"]


def test_the_words_are_valid_toml_without_a_script():
    for path in TEMPLATES.glob("business.*.toml"):
        assert "<" not in path.read_text(encoding="utf-8")
        assert tomllib.loads(path.read_text(encoding="utf-8"))
