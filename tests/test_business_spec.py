"""The table `[business]` of an audit file: what it takes, and what it refuses and how it says so."""

from __future__ import annotations

import pytest

from efficiency360.business import Assumptions
from efficiency360.errors import InputError
from efficiency360.spec import AuditSpec, load_audit

BASE = 'title = "Mine"\n[axes.speed]\n'
TABLE = '[business]\ncurrency = "EUR"\nimages_per_day = 1000\nutilisation = 0.5\nprice_per_machine_hour = 2\n'


@pytest.fixture
def load(tmp_path):
    def do(text: str) -> AuditSpec:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return load_audit(str(path))

    return do


@pytest.fixture
def complaint(load):
    def do(text: str) -> str:
        with pytest.raises(InputError) as caught:
            load(text)
        assert "\n" not in str(caught.value)
        return str(caught.value).partition(": ")[2]

    return do


def test_what_is_left_out_has_a_stated_default(load):
    found = load(BASE + TABLE).business
    assert (found.days_per_year, found.hours_per_day, found.batch) == (365, 24, 1)
    assert found.price_per_kwh is None
    assert found.devices is None


def test_an_audit_without_it_has_none_and_keeps_its_fingerprint(load):
    before = load(BASE)
    assert before.business is None
    assert "business" not in before.model_dump(mode="json", exclude_defaults=True)
    assert load(BASE + TABLE).record.fingerprint != before.record.fingerprint


def test_every_key_says_its_unit_or_what_it_counts():
    for name, field in Assumptions.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("imges_per_day = 3", "unknown key 'business.imges_per_day'; did you mean 'images_per_day'?"),
        ("machine_hour_price = 3", "unknown key 'business.machine_hour_price'; did you mean"),
        ("price_per_kwh = -0.1", "business.price_per_kwh: must not be negative"),
        ("price_per_kwh = nan", "business.price_per_kwh is not a finite number"),
        ("migration_cost = inf", "business.migration_cost is not a finite number"),
        ('migration_cost = "1000"', "business.migration_cost: '1000' is not a number"),
        ("devices = 0", "business.devices: "),
        ("devices = 1.5", "business.devices: "),
        ("devices = true", "business.devices: "),
        ("batch = true", "business.batch: "),
        ("days_per_year = 400", "business.days_per_year: "),
        ("hours_per_day = 25", "business.hours_per_day: "),
    ],
)
def test_a_mistake_is_named_with_its_place(complaint, line, said):
    assert complaint(BASE + TABLE + line).startswith(said)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("= 0.5", "= 60", "business.utilisation: is a share above 0 and up to 1, such as 0.6 for 60 %, not 60"),
        ("= 0.5", "= 0", "business.utilisation: "),
        ("= 1000", "= 0", "business.images_per_day: "),
        (
            '"EUR"',
            '"eur"',
            "business.currency: must be a code of ISO 4217 such as EUR, JPY or USD; did you mean 'EUR'?",
        ),
        ('"EUR"', '"Euro"', "business.currency: must be a code of ISO 4217"),
        ("utilisation = 0.5\n", "", "business.utilisation: this key is missing"),
        ("price_per_machine_hour = 2", "", "business: nothing has a price"),
        ("[business]", "[[business]]", "business: must be a table"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(complaint, before, after, said):
    assert complaint(BASE + TABLE.replace(before, after)).startswith(said)
