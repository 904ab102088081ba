"""Membership inference: a model that memorises is flagged, one that was never trained is not, and nothing tells it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import efficiency360
from efficiency360.axes.privacy import Privacy
from efficiency360.dataset import Labels, from_arrays
from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.private import accountant
from efficiency360.statistics import losses


def drawn(seed, n, classes=4, noise=0.8):
    """Images of blurred class patterns in much noise, a third with random labels: there is something to memorise."""
    rng = np.random.default_rng(1000)
    patterns = rng.random((classes, 8, 8))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    images = np.clip(patterns[labels] + rng.normal(0, noise, (n, 8, 8)), 0, 1)
    wrong = rng.random(n) < 0.3
    return (images * 255).astype(np.uint8), np.where(wrong, rng.integers(0, classes, n), labels)


def with_split(images, labels, members, **columns):
    """A data set whose first `members` images are in the column `split` as trained on."""
    data = from_arrays(images, labels)
    split = ("train",) * members + ("test",) * (len(images) - members)
    return replace(data, columns={"split": split, **columns})


class Net(nn.Sequential):
    def __init__(self, classes=4):
        super().__init__(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, classes))


def trained(images, labels, steps=400):
    torch.manual_seed(0)
    net = Net(int(labels.max()) + 1)
    x, y = torch.from_numpy(images)[:, None].float() / 255, torch.from_numpy(labels)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net


def privacy(model, data, seed=0, **settings):
    settings = {"epsilons": [], **settings}
    card = efficiency360.audit(
        model, data, axes=["privacy"], settings={"privacy": settings}, input=(1, 8, 8), threads=1, seed=seed
    )
    return next(axis for axis in card.axes if axis.id == "privacy")


def value(record, name, **params):
    return next(m for m in record.measurements if m.name == f"privacy.{name}" and params.items() <= m.params.items())


def ids(record):
    return {caveat.id for caveat in record.caveats}


def text(record, caveat_id):
    return next(caveat.text for caveat in record.caveats if caveat.id == caveat_id)


def table(record, name):
    return next(series.columns for series in record.series if series.name == f"privacy.{name}")


@pytest.fixture(scope="module")
def memorised():
    images, labels = drawn(0, 700)
    return trained(images[:200], labels[:200]), with_split(images, labels, 200)


def test_a_model_that_memorised_two_hundred_images_is_flagged(memorised):
    record = privacy(*memorised)
    assert "privacy.members_exposed" in ids(record)
    for attack in ("loss", "calibrated"):
        found = value(record, "mia_auc", attack=attack)
        assert found.interval.low > 0.6
        assert found.n == 700
    assert value(record, "mia_tpr", attack="calibrated", fpr=0.01).value > 0.02
    assert "finds" in text(record, "privacy.members_exposed")
    said = text(record, "privacy.references_contaminated")
    assert "underestimates what an attacker with models of his own would find" in said


def test_a_model_that_was_never_trained_is_flagged_in_two_of_twenty_audits_at_most():
    flagged = 0
    for seed in range(20):
        torch.manual_seed(seed)
        record = privacy(Net(), with_split(*drawn(seed, 320), 160), seed, references=8)
        flagged += "privacy.members_exposed" in ids(record)
        assert ("privacy.members_not_told" in ids(record)) != ("privacy.members_exposed" in ids(record))
    assert flagged <= 2


def test_membership_costs_one_pass_in_an_order_that_tells_nothing(memorised):
    _, data = memorised

    seen = []

    class Counting(Net):
        def forward(self, images):
            seen.extend((images.flatten(1) @ torch.arange(64.0) ** 2).tolist())
            return super().forward(images)

    privacy(Counting(), data, attacks=["loss"])
    marks = (data.arrays / 255).reshape(700, 64) @ np.arange(64.0) ** 2
    asked = [int(np.abs(marks - one).argmin()) for one in seen]
    assert len(asked) < 2 * 700  # with the few that loading and asking twice take
    order = np.array(asked[-700:])
    assert len(set(order.tolist())) > 690
    ranks = np.flatnonzero(order < 200)
    assert abs(ranks.mean() - 350) < 50


def test_training_privately_beside_the_attack_asks_the_model_no_second_time(memorised, monkeypatch):
    monkeypatch.setattr(accountant, "epsilon", losses.epsilon)
    monkeypatch.setattr(accountant, "noise_for", losses.noise_for)
    model, data = memorised
    asked = []

    class Counting(Net):
        def forward(self, images):
            asked.append(len(images))
            return super().forward(images)

    given = {"epsilons": [8], "steps": 20, "canaries": 0}
    counting = Counting()
    counting.load_state_dict(model.state_dict())
    both = privacy(counting, data, **given)
    assert sum(asked) < 700 + 60  # loading, asking twice and looking for the head take a few
    alone = privacy(model, data, attacks=[], **given)
    assert {m.value for m in alone.measurements} < {m.value for m in both.measurements}


def test_a_model_that_counts_its_images_cannot_tell_members():
    """It is sure of the first half of what it is asked; members first would give it away."""

    class Tiring(Net):
        asked = 0

        def forward(self, images):
            Tiring.asked += len(images)
            return super().forward(images) * (10.0 if Tiring.asked < 250 else 0.1)

    record = privacy(Tiring(), with_split(*drawn(3, 500), 200), attacks=["loss"])
    interval = value(record, "mia_auc", attack="loss").interval
    assert interval.low < 0.5 < interval.high


def test_members_can_be_a_data_set_of_their_own(memorised, tmp_path):
    model, data = memorised
    order = np.arange(len(data))
    for name, rows in (("seen", order[:200]), ("new", order[200:])):
        np.savez(
            tmp_path / f"{name}.npz", images=data.arrays[rows], labels=np.array(data.labels.values)[rows].astype(int)
        )
    apart = privacy(model, str(tmp_path / "new.npz"), members=str(tmp_path / "seen.npz"), attacks=["loss"])
    together = privacy(model, data, attacks=["loss"])
    assert value(apart, "mia_auc", attack="loss").value == pytest.approx(
        value(together, "mia_auc", attack="loss").value
    )


def test_without_members_it_says_how_to_give_them():
    images, labels = drawn(0, 100)
    record = privacy(Net(), from_arrays(images, labels))
    assert record.status == "failed"
    assert "split" in record.reason
    assert "privacy.members=PATH" in record.reason
    trained = privacy(Net(), from_arrays(images, labels), epsilons=[8], steps=3)
    assert "privacy.members=PATH" in text(trained, "privacy.no_members")
    assert {m.name for m in trained.measurements} == {
        "privacy.dp_accuracy",
        "privacy.dp_cost",
        "privacy.epsilon_lower_bound",
        "privacy.epsilon_provable",
        "privacy.nonprivate_accuracy",
    }


def test_members_are_attacked_where_nothing_can_be_trained():
    images, labels = drawn(0, 60)
    record = privacy(Net(), with_split(images, labels, 20), epsilons=[8])
    assert "Nothing was trained privately" in text(record, "privacy.untuned")
    assert any(m.name == "privacy.mia_auc" for m in record.measurements)


def test_too_few_members_or_classes_that_do_not_meet_fail_with_the_reason():
    images, labels = drawn(0, 60)
    assert "9 members and 51 non-members" in privacy(Net(), with_split(images, labels, 9)).reason
    order = np.argsort(labels, kind="stable")
    half = int((labels < 2).sum())
    record = privacy(Net(), with_split(images[order], labels[order], half))
    assert record.status == "failed"
    assert "no class in common" in record.reason


def test_one_class_leaves_the_loss_attack_and_says_so():
    images, _ = drawn(0, 100)
    record = privacy(Net(), with_split(images, np.full(100, 2), 50))
    assert {m.params["attack"] for m in record.measurements} == {"loss"}
    assert "one class" in text(record, "privacy.no_references")


def test_members_that_are_the_data_themselves_are_refused(tmp_path):
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        for number in range(3):
            save_png(tmp_path / kind / f"{number}.png", number)
    with pytest.raises(InputError, match=r"privacy\.members: .*the data itself"):
        privacy(Net(2), str(tmp_path), members=str(tmp_path))


def save_png(path, seed):
    Image.fromarray((np.random.default_rng(seed).random((8, 8)) * 255).astype(np.uint8)).save(path)


def test_rates_that_the_non_members_do_not_resolve_are_not_given(memorised):
    record = privacy(*memorised)
    assert {m.params["fpr"] for m in record.measurements if m.name == "privacy.mia_tpr"} == {0.01}
    assert "3,688 for 0.1%" in text(record, "privacy.rate_not_measurable")


def test_an_exposed_group_is_named_and_others_are_not():
    """Half of the members belong to a group that the model never saw: only the other half is exposed."""
    images, labels = drawn(5, 800)
    model = trained(images[:200], labels[:200])
    ward = tuple("north" if row % 400 < 200 else "south" for row in range(800))
    record = privacy(model, with_split(images, labels, 400, ward=ward))
    north = value(record, "mia_group_auc", attack="calibrated", attribute="ward", group="north")
    south = value(record, "mia_group_auc", attack="calibrated", attribute="ward", group="south")
    assert north.interval.low > 0.6
    assert south.interval.low < 0.5 < south.interval.high
    assert north.n == south.n == 400
    assert "ward north" in text(record, "privacy.group_exposed")
    assert "south" not in text(record, "privacy.group_exposed")


def test_a_small_group_is_shown_with_its_interval_and_not_judged():
    """Nine members of a ward that the model learnt by heart, and nine others: too few to say so."""
    images, labels = drawn(6, 600)
    model = trained(images[:9], labels[:9])
    ward = tuple("attic" if row % 300 < 9 else "main" for row in range(600))
    record = privacy(model, with_split(images, labels, 300, ward=ward), attacks=["loss"])
    groups = {
        (m.params["attribute"], m.params["group"]) for m in record.measurements if m.name == "privacy.mia_group_auc"
    }
    assert ("ward", "main") in groups
    assert ("ward", "attic") not in groups
    assert "attic" not in "".join(c.text for c in record.caveats if c.id == "privacy.group_exposed")
    rows = table(record, "groups")
    (row,) = (row for row, name in enumerate(rows["group"]) if name == "attic")
    assert (rows["members"][row], rows["others"][row], rows["judged"][row]) == (9, 9, "too few")
    assert rows["auc"][row] > 0.8
    assert rows["high"][row] - rows["low"][row] > 0.25
    assert "ward attic" in text(record, "privacy.groups_too_small")
    assert rows["judged"].count("yes") == len(groups)


def test_exposed_members_are_listed_by_place_and_by_file_only_when_asked(memorised):
    model, data = memorised
    quiet, told = privacy(model, data), privacy(model, data, shown_exposed=True)
    assert "image" not in table(quiet, "exposed")
    for member, name in zip(table(told, "exposed")["member"], table(told, "exposed")["image"], strict=True):
        assert name == f"image {member:06}"
        assert member < 200


def test_the_curve_is_a_table_from_one_non_member_to_all(memorised):
    columns = table(privacy(*memorised), "roc")
    for attack in ("loss", "calibrated"):
        rows = [row for row, name in enumerate(columns["attack"]) if name == attack]
        rates = [columns["fpr"][row] for row in rows]
        assert (rates[0], rates[-1]) == (pytest.approx(1 / 500), 1)
        assert columns["tpr"][rows[-1]] == 1
        assert rates == sorted(rates)


def test_non_members_that_repeat_members_are_counted_named_and_left_out(memorised):
    model, data = memorised
    images, labels = data.arrays.copy(), np.array(data.labels.values)
    images[300:310] = images[:10]
    images[310:315] = np.clip(images[10:15].astype(int) + 1, 0, 255)
    record = privacy(model, with_split(images, labels.astype(int), 200), attacks=["loss"])
    assert text(record, "privacy.duplicates_same_bytes").startswith("10 of 500 non-members are members byte for byte")
    assert " (as image 0000" in text(record, "privacy.duplicates_same_bytes")
    pairs = dict(zip(table(record, "duplicates")["non_member"], table(record, "duplicates")["member"], strict=True))
    assert pairs == {f"image {300 + row:06}": f"image {row:06}" for row in range(15)}
    assert text(record, "privacy.duplicates_looks_alike").startswith("5 of 500 non-members look almost like a member")
    assert value(record, "mia_auc", attack="loss").n == 690
    assert len(table(record, "duplicates")["how"]) == 15


def test_members_that_look_different_are_not_taken_for_memory(memorised):
    """The model was never trained; members are lit from the left."""
    model, data = memorised
    assert "privacy.members_look_different" not in ids(privacy(model, data, attacks=["loss"]))
    images, labels = drawn(11, 600)
    light = np.where(np.arange(600)[:, None, None] < 300, np.linspace(1, 0.4, 8), np.linspace(0.4, 1, 8))
    record = privacy(Net(), with_split((images * light).astype(np.uint8), labels, 300), attacks=["loss"])
    assert "one source at random" in text(record, "privacy.members_look_different")


def claimed(tmp_path, **table):
    manifest = tmp_path / "model.toml"
    manifest.write_text("[privacy]\n" + "\n".join(f"{key} = {json.dumps(one)}" for key, one in table.items()))
    return manifest


def audited(model, data, manifest):
    given = {"settings": {"privacy": {"epsilons": []}}, "input": (1, 8, 8), "manifest": manifest}
    card = efficiency360.audit(model, data, axes=["privacy"], threads=1, **given)
    return next(axis for axis in card.axes if axis.id == "privacy")


def test_an_epsilon_is_given_only_where_coins_chose_the_members(memorised, tmp_path):
    model, data = memorised
    record = audited(model, data, claimed(tmp_path, epsilon=1.0))
    assert not any("epsilon" in m.name for m in record.measurements)
    assert "not put to the test" in text(record, "privacy.no_empirical_epsilon")
    record = audited(model, data, claimed(tmp_path, epsilon=1.0, randomised=True))
    assert "200 of 700" in text(record, "privacy.not_fair_coins")


def test_a_claim_that_the_members_disprove_fails_the_axis_with_that_sentence(tmp_path):
    images, labels = drawn(7, 600)
    coins = np.random.default_rng(0).random(600) < 0.5
    order = np.argsort(~coins, kind="stable")
    images, labels, members = images[order], labels[order], int(coins.sum())
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 600)  # nothing but memory
    model, data = trained(images[:members], labels[:members], 800), with_split(images, labels, members)
    record = audited(model, data, claimed(tmp_path, epsilon=0.1, delta=1e-5, randomised=True))
    assert record.status == "failed"
    assert "claims epsilon = 0.1 and is not that private" in record.reason
    vast = audited(model, data, claimed(tmp_path, epsilon=50.0, delta=1e-5, randomised=True))
    assert "claim of epsilon = 50" in text(vast, "privacy.claim_out_of_reach")
    honest = audited(model, data, claimed(tmp_path, randomised=True, delta=1e-5))
    bound, largest = value(honest, "epsilon_lower_bound"), value(honest, "epsilon_provable")
    assert 0.1 < bound.value <= largest.value
    assert bound.params["confidence"] == 0.95
    assert "lower bound" in text(honest, "privacy.lower_bound")


LABELS = Labels(np.zeros(1, np.int64), (), ("0.png",))
"""Those of members are evidence."""


def evidence(n=60, members=30, classes=3):
    rng = np.random.default_rng(0)
    about = {"names": [], "groups": {}, "claim": {"epsilon": None, "delta": None, "randomised": False}}
    return {
        "logits": rng.normal(size=(n, classes)).astype(np.float32),
        "readable": np.ones(n, bool),
        "look": rng.normal(size=(n, 256)).astype(np.float16) / 20,
        "pixels": np.arange(n, dtype=np.uint64),
        "members.member": (np.arange(n) < members).astype(np.int8),
        "members.classes": rng.integers(0, classes, n),
        "members.sha256": np.array([f"{row:064}" for row in range(n)], np.bytes_),
        "members.index": np.arange(n),
        "members.files": np.array([f"{row}.png" for row in range(n)]),
        "members.about": np.array(json.dumps(about)),
    }


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"logits": np.full((60, 3), np.nan, np.float32)}, "NaN or infinity for 60"),
        ({"logits": np.zeros((59, 3), np.float32)}, "one row of logits"),
        ({"logits": np.zeros((60, 1), np.float32)}, "fewer than when it was loaded"),
        ({"readable": np.arange(60) > 5}, "6 of 60 images could not be read"),
        ({"look": np.full((60, 256), np.nan, np.float16)}, "no numbers"),
        ({"reference": np.full((60, 4), np.nan), "reference_trained": np.zeros((60, 4), bool)}, "reference heads"),
        ({"reference": np.zeros((60, 4)), "reference_trained": np.ones((60, 4), bool)}, "saw every image"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(changed, reason):
    with pytest.raises(AxisError, match=reason):
        Privacy(epsilons=()).measure(evidence() | changed, LABELS)


def test_one_that_answers_alike_for_all_gives_chance():
    findings = Privacy(epsilons=(), attacks=("loss",)).measure(
        evidence() | {"logits": np.zeros((60, 3), np.float32)}, LABELS
    )
    auc = next(m for m in findings.measurements if m.name == "privacy.mia_auc")
    assert auc.value == 0.5
    assert auc.interval.low < 0.4
    assert auc.interval.high > 0.6
