"""A few photographs explained on a real network: its maps beat chance, follow its weights, and cost what they say."""

from __future__ import annotations

import pytest

import efficiency360

FEW = {"images": 6, "steps": 6, "random_orders": 1, "path_steps": 6, "checked": 2, "draws": 1, "shown": 1}


@pytest.fixture(scope="module")
def record(lite0, shared):
    card = efficiency360.audit(
        lite0, shared / "data/imagenet-500", arch="timm:tf_efficientnet_lite0", remap="order", axes=["transparency"],
        settings={"transparency": FEW}, limit=6, threads=1,
    )  # fmt: skip
    return card.axis("transparency")


def number(record, name, method):
    return next(
        one for one in record.measurements if one.name == f"transparency.{name}" and one.params == {"method": method}
    )


def test_a_convolutional_network_gets_both_methods(record):
    assert record.status == "measured", record.reason
    methods = {one.params["method"] for one in record.measurements if "method" in one.params}
    assert methods == {"integrated_gradients", "grad_cam"}


def test_what_the_maps_say_counts_for_more_than_what_chance_picks(record):
    assert number(record, "deletion_gain", "integrated_gradients").value > 0.03
    assert number(record, "insertion_gain", "grad_cam").value > 0.1


def test_the_maps_do_not_outlive_the_weights(record):
    for method in ("integrated_gradients", "grad_cam"):
        assert number(record, "randomisation_similarity", method).value < 0.5


def test_an_explanation_costs_the_passes_that_it_takes(record):
    assert number(record, "extra_passes", "integrated_gradients").value == 2 * FEW["path_steps"]
    assert number(record, "extra_passes", "grad_cam").value == 2


def test_six_images_are_said_to_be_few(record):
    assert "transparency.few_images" in {caveat.id for caveat in record.caveats}
