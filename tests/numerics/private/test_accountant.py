"""Epsilon against an independent accountant, like with like: PRV with PLD, Renyi with Renyi, the same adjacency."""

from __future__ import annotations

import csv
import logging
import math
from pathlib import Path

import pytest

from efficiency360.numerics.private import accountant
from efficiency360.statistics import renyi

GRID = Path(__file__).with_name("dp_accounting.csv")
ROWS = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(GRID.read_text().splitlines())]
WITHIN = 0.02


def case(row):
    return row["rate"], row["sigma"], int(row["steps"]), row["delta"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(f"{row[key]:g}" for key in ("rate", "sigma", "steps")))
class TestAgainstRecordedValues:
    """dp_accounting.csv was made with dp-accounting 0.6.0 by `record`, below."""

    def test_prv_agrees_with_privacy_loss_distributions(self, row):
        assert accountant.epsilon(*case(row)) == pytest.approx(row["pld"], rel=WITHIN)

    def test_renyi_agrees_with_renyi(self, row):
        assert renyi.epsilon(*case(row)) == pytest.approx(row["rdp"], rel=WITHIN)

    def test_renyi_is_a_bound_on_prv_and_not_a_far_one(self, row):
        tight, loose = accountant.epsilon(*case(row)), renyi.epsilon(*case(row))
        assert tight <= loose <= 1.35 * tight + 0.05


def other(rate, sigma, steps, delta, kind):
    """Epsilon by dp-accounting under adding or removing one record."""
    dp = pytest.importorskip("dp_accounting", reason="the package dp-accounting is not installed")
    gaussian = dp.dp_event.GaussianDpEvent(sigma)
    step = dp.dp_event.PoissonSampledDpEvent(rate, gaussian) if rate < 1 else gaussian
    adjacency = dp.NeighboringRelation.ADD_OR_REMOVE_ONE
    accountants = {"pld": dp.pld.PLDAccountant, "rdp": dp.rdp.RdpAccountant}
    theirs = accountants[kind](neighboring_relation=adjacency)
    logging.disable(logging.WARNING)
    try:
        theirs.compose(dp.dp_event.SelfComposedDpEvent(step, steps))
        return theirs.get_epsilon(delta)
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["pld", "rdp"])
def test_the_recorded_values_are_those_of_the_package(kind):
    for row in ROWS:
        assert other(*case(row), kind) == pytest.approx(row[kind], rel=1e-3)


@pytest.mark.parametrize(
    ("target", "rate", "steps", "delta"), [(1, 0.5, 100, 1e-4), (3, 0.05, 300, 1e-5), (8, 1, 30, 1e-4)]
)
def test_the_noise_spends_the_target_and_no_more(target, rate, steps, delta):
    sigma = accountant.noise_for(target, rate, steps, delta)
    assert 0.995 * target <= accountant.epsilon(rate, sigma, steps, delta) <= target


def test_one_release_of_all_images_spends_what_the_closed_form_says():
    """Balle and Wang 2018, theorem 8."""
    sigma, spent = 2.0, accountant.epsilon(1.0, 2.0, 1, 1e-5)

    def normal(x):
        return 0.5 * math.erfc(-x / math.sqrt(2))

    delta = normal(0.5 / sigma - spent * sigma) - math.exp(spent) * normal(-0.5 / sigma - spent * sigma)
    assert delta == pytest.approx(1e-5, rel=0.1)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 1, 10, 1e-5),
        (1.5, 1, 10, 1e-5),
        (0.1, 0, 10, 1e-5),
        (0.1, math.nan, 10, 1e-5),
        (0.1, 1, 0, 1e-5),
        (0.1, 1, 1, 0),
    ],
)
def test_what_is_no_training_has_no_epsilon(arguments):
    with pytest.raises(ValueError, match="no training has"):
        accountant.epsilon(*arguments)


@pytest.mark.parametrize("target", [0, -1, math.nan, math.inf])
def test_what_is_no_epsilon_is_refused(target):
    with pytest.raises(ValueError, match="no training has an epsilon of"):
        accountant.noise_for(target, 0.1, 10, 1e-5)


def record() -> None:
    """Write the grid anew, with dp-accounting installed: PYTHONPATH=. python PATH_OF_THIS_FILE."""
    cases = [(0.01, 0.8, 1000, 1e-5), (0.01, 2.0, 3000, 1e-6), (0.05, 1.0, 200, 1e-5), (0.05, 4.0, 1000, 1e-5)]
    cases += [(0.25, 1.5, 50, 1e-4), (0.25, 6.0, 200, 1e-4), (0.5, 3.0, 100, 1e-4), (0.5, 15.0, 100, 1e-4)]
    cases += [(1.0, 5.0, 10, 1e-4), (1.0, 30.0, 100, 1e-5), (0.1, 1.0, 1, 1e-5), (0.002, 0.7, 5000, 1e-6)]
    with GRID.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rate", "sigma", "steps", "delta", "pld", "rdp"])
        writer.writerows([*one, *(f"{other(*one, kind):.6g}" for kind in ("pld", "rdp"))] for one in cases)


if __name__ == "__main__":
    record()
