"""Whole audits of small subjects, in the worker and in this process."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.dataset import from_arrays
from efficiency360.engine import pipe
from efficiency360.errors import InputError
from efficiency360.schema import PUBLISHED
from efficiency360.spec import parse_audit

SIZE = {"input": (1, 8, 8), "threads": 1}


def measured(card, axis_id, name):
    return next(m for m in card.axis(axis_id).measurements if m.name == name)


def caveats(card, axis_id):
    return {caveat.id for caveat in card.axis(axis_id).caveats}


class Brightness(nn.Module):
    """Right on `two_tones`; wrong where it is left in training mode."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.dropout = nn.Dropout(0.99)

    def forward(self, x):
        mean = self.dropout(x.mean(dim=(1, 2, 3)))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1) * self.scale


def test_a_module_in_memory_is_observed_as_a_copy_and_says_so(two_tones):
    module = Brightness().train()
    card = efficiency360.audit(module, two_tones, threads=1)
    assert measured(card, "accuracy", "accuracy.top1").value == 1
    assert measured(card, "cost", "cost.params").value == 2
    assert "subject.in_process" in {caveat.id for caveat in card.subject.caveats}
    assert card.environment.isolation == ()
    assert module.training
    assert module.scale.requires_grad


def test_worker_and_process_agree(two_tones, tone_file):
    apart = efficiency360.audit(f"{tone_file}:tone", two_tones, **SIZE)
    here = efficiency360.audit(Brightness(), two_tones, threads=1)
    assert apart.axis("accuracy").measurements == here.axis("accuracy").measurements


def test_the_same_seed_gives_the_same_scorecard_times_aside(two_tones, tone_file):
    def timeless():
        card = json.loads(
            efficiency360.audit(f"{tone_file}:upside", two_tones, limit=30, seed=3, **SIZE).model_dump_json()
        )
        card["environment"].pop("started_at")
        for axis in card["axes"]:
            axis.pop("seconds")
        return card

    assert timeless() == timeless()


def test_a_scorecard_validates_against_the_published_schema(two_tones, tone_file, tmp_path):
    efficiency360.audit(f"{tone_file}:tone", two_tones, out=tmp_path / "out", **SIZE)
    card = json.loads((tmp_path / "out/scorecard.json").read_text())
    jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text())).validate(card)
    card["overall"]["low"] = "high"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(card, json.loads(PUBLISHED.read_text()))


def test_no_label_name_or_secret_reaches_the_worker(two_tones, tone_file, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    sent = []
    send = pipe.send

    def spy(write, message):
        send(lambda data: (sent.append(bytes(data)), write(data)), message)

    monkeypatch.setattr(pipe, "send", spy)
    efficiency360.audit(f"{tone_file}:talkative", two_tones, out=tmp_path / "out", **SIZE)
    wire, log = b"".join(sent), (tmp_path / "out/run.log").read_text()
    assert b"images" in wire
    assert b"image 000001" not in wire
    assert "SECRET_TOKEN" not in log
    assert str(tmp_path) not in log.split("standard output", 1)[1].splitlines()[0]


def test_what_the_model_prints_goes_to_the_log_and_fools_nobody(two_tones, tone_file, tmp_path, capfd):
    card = efficiency360.audit(f"{tone_file}:talkative", two_tones, out=tmp_path / "out", **SIZE)
    assert card.axis("accuracy").status == "measured"
    captured = capfd.readouterr()
    assert "standard" not in captured.out + captured.err
    assert "standard error" in (tmp_path / "out/run.log").read_text()


def test_resume_reuses_evidence_of_the_same_audit_only(tmp_path):
    evidence = tmp_path / "out/evidence/accuracy.npz"

    def stamp(**options):
        options = {"limit": 30, "axes": ["accuracy"], "threads": 1, **options}
        efficiency360.audit("zoo:digits_transformer", "digits", out=tmp_path / "out", **options)
        return evidence.stat().st_mtime_ns

    first = stamp()
    assert stamp(resume=True) == first
    assert stamp(resume=True, limit=20) > first
    with np.load(evidence, allow_pickle=False) as archive:
        assert archive["logits"].shape == (20, 10)


def test_an_audit_that_starts_leaves_no_earlier_verdict_beside_it(two_tones, tone_file, tmp_path):
    efficiency360.audit(f"{tone_file}:tone", two_tones, out=tmp_path / "out", **SIZE)
    with pytest.raises(InputError):
        efficiency360.audit(f"{tone_file}:tone", two_tones, out=tmp_path / "out", device="abacus", **SIZE)
    assert not (tmp_path / "out/scorecard.json").exists()
    assert not (tmp_path / "out/report.html").exists()


def test_a_model_that_computes_outside_torch_has_no_known_macs():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(192, 2)

        def forward(self, x):
            return torch.from_numpy(x.flatten(1).numpy() @ self.fc.weight.detach().numpy().T)

    card = efficiency360.audit(Hidden(), axes=["cost"], input=(3, 8, 8), threads=1)
    assert measured(card, "cost", "cost.op_coverage").value == 0
    assert "cost.nothing_counted" in caveats(card, "cost")


def test_the_callers_random_numbers_and_threads_are_left_alone(two_tones):
    torch.manual_seed(7)
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    efficiency360.audit(Brightness(), two_tones, threads=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_a_module_in_half_precision_gets_images_in_half_precision(two_tones):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).bfloat16()
    card = efficiency360.audit(module, two_tones, threads=1)
    assert card.axis("accuracy").status == "measured"


def test_labels_mean_the_same_in_a_sample(two_tones, tone_file, tmp_path):
    data = from_arrays(two_tones.arrays, np.arange(40) % 3)
    manifest = tmp_path / "m.toml"
    manifest.write_text('[labels]\nnames = ["1", "2"]\n')
    for limit in (None, 2):
        with pytest.raises(InputError, match="out of range"):
            efficiency360.audit(f"{tone_file}:tone", data, manifest=manifest, limit=limit, seed=0, **SIZE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": [1, 2]},
        {"subject": 3},
        {"subject": nn.Linear},
        {"limit": 10.5},
        {"limit": "10"},
        {"seed": -1},
        {"seed": 2**40},
        {"budget": "10m"},
        {"threads": 1.5},
        {"input": (16, 16)},
        {"audit": None},
        {"axes": []},
        {"axes": "kost"},
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(tone_file, wrong):
    arguments = {"subject": f"{tone_file}:tone", "input": (1, 8, 8), **wrong}
    with pytest.raises(InputError):
        efficiency360.audit(**arguments)


def test_random_weights_are_said_beside_every_labelled_number(two_tones, tone_file):
    card = efficiency360.audit(f"{tone_file}:tone", two_tones, **SIZE)
    assert "subject.factory_weights" in caveats(card, "accuracy")
    assert "subject.factory_weights" not in caveats(card, "cost")
    random = efficiency360.audit("timm:test_vit", "digits", limit=10, axes=["accuracy"], threads=1, input=(1, 160, 160))
    assert "subject.random_weights" in caveats(random, "accuracy")


def test_a_model_upside_down_is_named_near_chance(two_tones, tone_file):
    card = efficiency360.audit(f"{tone_file}:upside", two_tones, **SIZE)
    assert measured(card, "accuracy", "accuracy.top1").value == 0
    assert "accuracy.near_chance" in caveats(card, "accuracy")
    assert card.verdict.outcome == "fail"


def test_wrong_normalisation_in_the_manifest_draws_the_caveat(tmp_path):
    manifest = tmp_path / "wrong.toml"
    manifest.write_text("[preprocess]\nsize = 32\nresize = [32, 32]\nmean = 123.7\nstd = 58.4\n")
    wrong = efficiency360.audit("zoo:digits_transformer", "digits", manifest=manifest, arch="zoo:digits_transformer")
    right = efficiency360.audit("zoo:digits_transformer", "digits")
    assert "accuracy.near_chance" in caveats(wrong, "accuracy")
    assert "subject.normalisation_scale" in {caveat.id for caveat in wrong.subject.caveats}
    assert not caveats(right, "accuracy")
    assert not right.subject.caveats


def test_a_limit_inside_the_interval_is_inconclusive(two_tones, tone_file):
    rule = {"id": "r", "measurement": "accuracy.top1", "at_least": 0.95, "rationale": "r"}
    spec = parse_audit({"title": "t", "axes": {"accuracy": {}}, "rules": [rule]}, "t.toml")
    card = efficiency360.audit(f"{tone_file}:tone", two_tones, audit=spec, **SIZE)
    assert measured(card, "accuracy", "accuracy.top1").interval.low < 0.95
    assert card.verdict.outcome == "inconclusive"


def test_an_axis_left_out_is_missed_by_the_verdict(two_tones, tone_file):
    card = efficiency360.audit(f"{tone_file}:tone", two_tones, axes=["cost"], **SIZE)
    assert card.axis("accuracy").status == "skipped"
    assert card.verdict.outcome == "inconclusive"
    assert card.coverage == pytest.approx(1 / 11)


def test_without_data_the_labelled_axis_is_skipped_with_its_reason(tone_file):
    card = efficiency360.audit(f"{tone_file}:tone", **SIZE)
    assert "--data" in card.axis("accuracy").reason
    assert card.axis("cost").status == "measured"


def test_an_unknown_input_size_asks_for_it(tone_file):
    with pytest.raises(InputError, match="--input"):
        efficiency360.audit(f"{tone_file}:tone")


def test_the_command_in_the_scorecard_repeats_the_audit(two_tones, tone_file):
    card = efficiency360.audit(
        f"{tone_file}:tone", two_tones, limit=12, settings={"accuracy": {"batch_size": 5}}, **SIZE
    )
    assert card.command.endswith(
        ":tone --audit quick --input 1x8x8 --limit 12 --device auto --threads 1 --set accuracy.batch_size=5 --seed 0"
    )
