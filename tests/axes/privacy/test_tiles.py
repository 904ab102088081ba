"""Photographs from a production line and a model of ImageNet: what a user would ask of private fine-tuning."""

from __future__ import annotations

import pytest

import efficiency360


@pytest.mark.slow
def test_accuracy_on_tiles_falls_as_epsilon_falls_and_is_best_without_privacy(shared, lite0):
    settings = {"privacy": {"epsilons": [0.3, 1, 8]}}
    given = {"arch": "timm:tf_efficientnet_lite0", "remap": "order", "input": (3, 128, 128), "threads": 1}
    card = efficiency360.audit(lite0, shared / "data/tiles", axes=["privacy"], settings=settings, **given)
    record = card.axis("privacy")
    assert record.status == "measured", record.reason
    private = {one.params["epsilon"]: one for one in record.measurements if one.name == "privacy.dp_accuracy"}
    (without,) = (one for one in record.measurements if one.name == "privacy.nonprivate_accuracy")
    assert private[0.3].value < private[1.0].value < private[8.0].value <= without.interval.high
    assert without.interval.low > 0.7
    costs = {one.params["epsilon"]: one for one in record.measurements if one.name == "privacy.dp_cost"}
    assert costs[0.3].interval.low > 0
    assert "none of the model's 1000 classes" in " ".join(caveat.text for caveat in record.caveats)
