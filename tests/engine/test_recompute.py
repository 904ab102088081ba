"""The gate judges what the evidence says: a scorecard that says otherwise does not get through."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import efficiency360
from efficiency360.audited import evidence_bytes, read_audited
from efficiency360.engine.gate import gate
from efficiency360.engine.guard import REPLACED
from efficiency360.engine.recompute import recompute
from efficiency360.engine.store import ABOUT
from efficiency360.errors import InputError
from efficiency360.files import sha256_bytes
from efficiency360.records import Artifact
from efficiency360.spec import load_audit
from efficiency360.statistics.intervals import wilson

AXES = ["cost", "accuracy", "uncertainty"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Of the sample that seed 1 draws, one answer is wrong; without one, nothing could be gained by other labels."""
    out = tmp_path_factory.mktemp("finished") / "out"
    chosen = {"axes": [*AXES, "robustness"], "limit": 200, "seed": 1}
    card = efficiency360.audit("zoo:digits_transformer", "digits", audit="release", threads=1, out=out, **chosen)
    assert card.axis("accuracy").measurements[0].value < 1
    return out


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


def edit(folder, change):
    file = folder / "scorecard.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def axis(document, axis_id):
    return next(one for one in document["axes"] if one["id"] == axis_id)


def ece(document):
    return next(one for one in axis(document, "uncertainty")["measurements"] if one["name"] == "uncertainty.ece")


def arrays_of(folder, name):
    with np.load(folder / f"evidence/{name}.npz") as file:
        return dict(file)


def replace_images(folder, **changed):
    path = folder / "evidence/data.images.npz"
    np.savez(path, allow_pickle=False, **{**arrays_of(folder, "data.images"), **changed})
    edit(folder, lambda card: card["dataset"]["artifacts"][0].update(sha256=sha256_bytes(path.read_bytes())))


def replace_evidence(folder, name, arrays):
    """Write other evidence, and its hash into the scorecard."""
    path = folder / f"evidence/{name}.npz"
    np.savez(path, allow_pickle=False, **arrays)

    def sign(document):
        for one in document["axes"]:
            for artifact in one["artifacts"]:
                if artifact["path"] == f"evidence/{name}.npz":
                    artifact["sha256"] = sha256_bytes(path.read_bytes())

    edit(folder, sign)


def test_numbers_series_and_caveats_come_again_from_the_evidence(folder):
    card, found = read_audited(folder)
    again = recompute(card, found, folder)
    assert not again.unchecked
    assert again.audited.axes == card.axes
    assert {one.name for one in again.audited.samples["accuracy"]} >= {"accuracy.top1", "accuracy.balanced"}


def test_it_needs_no_torch_and_no_scipy(folder):
    code = (
        "import sys; from efficiency360.engine.gate import gate;"
        f"print(gate({str(folder)!r}, baseline={str(folder)!r}).card.verdict.outcome);"
        "sys.exit(bool({'torch', 'scipy.stats', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "inconclusive"), done.stderr


@pytest.mark.parametrize("again", [None, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda card: axis(card, "accuracy")["measurements"][0].update(value=0.999),
        lambda card: axis(card, "accuracy")["measurements"][0]["interval"].update(low=0.9899),
        lambda card: axis(card, "accuracy")["measurements"][0].update(n=100_000),
        lambda card: axis(card, "accuracy")["measurements"][0].update(interval=None),
        lambda card: axis(card, "accuracy")["measurements"].pop(),
        lambda card: axis(card, "cost")["measurements"][1].update(value=1000),
        lambda card: axis(card, "accuracy")["artifacts"].clear(),
        lambda card: card["subject"].update(fingerprint="0" * 64),
        lambda card: card["dataset"].update(fingerprint="0" * 64),
        lambda card: axis(card, "accuracy").update(settings={"batch_size": 1}),
        lambda card: ece(card).update(params={**ece(card)["params"], "bins": "15"}),
        lambda card: ece(card).update(params={"bins": "15, x=1", "binning": "equal_mass"}),
        lambda card: axis(card, "cost")["measurements"].append(axis(card, "cost")["measurements"][0]),
        lambda card: card["dataset"].update(artifacts=[]),
        lambda card: card["dataset"]["artifacts"][0].update(kind="pictures"),
        lambda card: card["subject"].update(artifacts=[]),
        lambda card: card["environment"].update(threads=64),
        lambda card: card["environment"].update(device="cuda"),
    ],
    ids=[
        *("value", "interval", "n", "no interval", "left out", "cost", "no evidence", "model", "data", "settings"),
        *(
            "type of a param",
            "label of params",
            "twice",
            "no labels",
            "other kind",
            "no behaviour",
            "threads",
            "device",
        ),
    ],
)
def test_an_edited_scorecard_is_refused(folder, change, again):
    edit(folder, change)
    with pytest.raises(InputError, match=r"edited|evidence") as caught:
        gate(folder, baseline="none", again=again)
    assert str(folder) in str(caught.value)


def test_a_verdict_that_was_written_in_is_not_read(folder):
    def pass_everything(card):
        card["verdict"] = {"outcome": "pass", "reasons": ["trust me"], "rules": []}
        card["overall"] = {"low": 100, "high": 100, "grade": "A"}

    edit(folder, pass_everything)
    strict = folder / "strict.toml"
    strict.write_text(
        'title = "t"\n[axes.cost]\n[[rules]]\nid = "r"\nmeasurement = "cost.params"\nat_most = 1\nrationale = "r"\n'
    )
    card = gate(folder, audit=str(strict)).card
    assert card.verdict.outcome == "fail"
    assert card.overall.low < 50


def test_caveats_that_were_taken_out_come_back(folder):
    before = gate(folder, baseline="none").card
    assert before.axis("cost").caveats
    for axis_id in AXES:
        edit(folder, lambda card, axis_id=axis_id: axis(card, axis_id).update(caveats=[]))
    after = gate(folder, baseline="none").card
    assert [one.caveats for one in after.axes] == [one.caveats for one in before.axes]


def test_what_the_model_had_replaced_is_said_again_although_it_was_taken_out(folder):
    """The evidence itself says that a library was replaced; without the caveat the scorecard would pass."""
    replace_evidence(folder, "accuracy", {**arrays_of(folder, "accuracy"), REPLACED: np.array(["torch.relu"])})
    card = gate(folder, baseline="none").card
    assert "libraries_replaced" in {caveat.id for caveat in card.axis("accuracy").caveats}
    assert card.verdict.outcome == "inconclusive"


def test_a_number_nudged_within_rounding_is_judged_as_it_was_measured(folder, tmp_path):
    audit = tmp_path / "tight.toml"
    rule = '[[rules]]\nid = "r"\nmeasurement = "cost.macs"\nat_most = {}\nrationale = "r"\n'
    macs = read_audited(folder)[0].axis("cost").measurements[1].value
    audit.write_text('title = "t"\n[axes.cost]\n' + rule.format(macs - 1))
    edit(folder, lambda card: axis(card, "cost")["measurements"][1].update(value=macs - 1))
    assert gate(folder, audit=str(audit)).card.verdict.outcome == "fail"


def test_labels_that_were_exchanged_are_refused(folder):
    """Naming every prediction a label would make any model perfect."""
    predicted = arrays_of(folder, "accuracy")["logits"].argmax(axis=1)
    replace_images(folder, classes=(predicted + 1) % 10)
    with pytest.raises(InputError, match="one label as written stands for several classes"):
        gate(folder, baseline="none")


@pytest.mark.parametrize("member", ["images", "files", "written"])
def test_images_names_and_labels_are_those_of_the_scorecards_data(folder, member):
    replace_images(folder, **{member: np.roll(arrays_of(folder, "data.images")[member], 1)})
    with pytest.raises(InputError, match=r"not the scorecard's images or labels|several classes"):
        gate(folder, baseline="none")


def test_evidence_that_does_not_say_what_it_is_of_counts_as_not_there(folder):
    arrays = arrays_of(folder, "cost")
    replace_evidence(folder, "cost", {name: array for name, array in arrays.items() if not name.startswith("__")})
    assert "cost: its evidence is too old to say" in gate(folder, baseline="none").card.verdict.reasons[-1]
    with pytest.raises(InputError, match="not all can be measured again"):
        gate(folder, baseline="none", again=True)


def test_what_evidence_says_of_itself_cannot_be_rewritten(folder):
    arrays = arrays_of(folder, "cost")
    arrays[ABOUT] = np.array(str(arrays[ABOUT]).replace('"code":false', '"code":true '))
    replace_evidence(folder, "cost", arrays)
    with pytest.raises(InputError, match="what the evidence of cost says of itself was changed"):
        gate(folder, baseline="none")


def test_other_settings_than_the_audit_file_asks_for_cannot_pass(folder, tmp_path):
    audit = tmp_path / "few.toml"
    rule = '[[rules]]\nid = "r"\nmeasurement = "accuracy.top1"\nat_least = 0.5\nrationale = "r"\n'
    audit.write_text('title = "t"\n[axes.accuracy]\nbatch_size = 32\n' + rule)
    assert gate(folder, audit=str(audit)).card.verdict.outcome == "pass"
    audit.write_text('title = "t"\n[axes.accuracy]\nmax_unreadable = 0.5\n' + rule)
    verdict = gate(folder, audit=str(audit)).card.verdict
    assert verdict.outcome == "inconclusive"
    assert "accuracy.max_unreadable = 0.01 and not 0.5" in verdict.reasons[0]


def test_a_pipe_in_the_place_of_evidence_does_not_hang(folder):
    (folder / "evidence/cost.npz").unlink()
    os.mkfifo(folder / "evidence/cost.npz")
    assert "cost: its evidence is not beside" in gate(folder, baseline="none").card.verdict.reasons[-1]


def test_evidence_of_another_model_is_refused_although_its_hash_was_written_in(folder, tmp_path):
    other = tmp_path / "other"
    efficiency360.audit(
        "timm:test_vit", "digits", audit="release", axes=["cost"], settings={}, threads=1, limit=20, out=other
    )
    replace_evidence(folder, "cost", arrays_of(other, "cost"))
    with pytest.raises(InputError, match="the evidence of cost is of another model than the scorecard says"):
        gate(folder, baseline="none")


def test_evidence_that_was_exchanged_or_cut_off_is_refused(folder):
    path = folder / "evidence/accuracy.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is not the file that its scorecard names"):
        gate(folder, baseline="none")


def test_without_the_evidence_the_samples_still_tell_of_an_edit(folder):
    (folder / "evidence/accuracy.npz").unlink()

    def better(card):
        card_axis = axis(card, "accuracy")["measurements"][0]
        card_axis.update(value=0.5, interval=wilson(100, 200).model_dump())

    assert gate(folder, baseline="none").card.verdict.outcome == "pass"
    edit(folder, better)
    with pytest.raises(InputError, match=r"accuracy\.top1 is 0\.5 of 200 in the scorecard, its samples make it 0\.99"):
        gate(folder, baseline="none")


def test_without_evidence_the_numbers_stand_and_it_is_said_unless_all_must_be_measured_again(folder):
    shutil.rmtree(folder / "evidence")
    gated = gate(folder, baseline="none")
    assert gated.card.verdict.outcome == "pass"
    told = gated.card.verdict.reasons[-1]
    assert (
        "not measured again: cost, accuracy, uncertainty, robustness: its evidence is not beside the scorecard" in told
    )
    with pytest.raises(InputError, match="not all can be measured again"):
        gate(folder, baseline="none", again=True)


def test_numbers_as_they_stand_can_be_asked_for(folder):
    edit(folder, lambda card: axis(card, "cost")["measurements"][1].update(value=1000))
    card = gate(folder, baseline="none", again=False).card
    assert card.axis("cost").measurements[1].value == 1000
    assert card.verdict.reasons[-1] == "the numbers are taken as the scorecard has them (--no-recompute)"


def test_another_version_of_an_axis_is_named(folder):
    edit(folder, lambda card: axis(card, "accuracy").update(version=7))
    with pytest.raises(InputError, match="accuracy was measured by version 7 of the axis, this e360 has 1"):
        gate(folder, baseline="none")


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "evidence/../../secret", "a\0b"])
def test_a_scorecard_cannot_name_files_outside_of_its_folder(folder, path):
    (folder.parent / "secret").write_text("x")
    with pytest.raises(InputError, match="names a file outside of its folder"):
        evidence_bytes(Artifact(path=path, sha256="0" * 64, kind="evidence"), folder)


class TestBaseline:
    def test_an_audit_is_no_worse_than_itself(self, folder, finished, tmp_path):
        audit = tmp_path / "audit.toml"
        audit.write_text(
            'title = "t"\n[axes.accuracy]\n[[rules]]\nid = "r"\nmeasurement = "accuracy.top1"\n'
            'no_worse_than_baseline = true\nmargin = 0.03\nrationale = "r"\n'
        )
        verdict = gate(folder, audit=str(audit), baseline=finished).card.verdict
        assert verdict.outcome == "pass", verdict.reasons
        assert verdict.rules[0].comparison.worse_by == 0
        assert verdict.rules[0].comparison.interval.method == "tango"
        assert verdict.baseline.name == "zoo:digits_transformer"

    def test_one_that_was_edited_is_refused_as_such(self, folder, finished, tmp_path):
        baseline = shutil.copytree(finished, tmp_path / "baseline")
        edit(baseline, lambda card: axis(card, "accuracy")["measurements"][0].update(value=0.5))
        with pytest.raises(InputError, match=r"^baseline: .*edited"):
            gate(folder, baseline=baseline)

    def test_the_one_that_the_audit_file_names_is_seen_from_that_file(self, folder, finished, tmp_path):
        (tmp_path / "audits").mkdir()
        shutil.copytree(finished, tmp_path / "reports/baseline")
        audit = tmp_path / "audits/mine.toml"
        rule = '[[rules]]\nid = "r"\nmeasurement = "cost.macs"\nno_worse_than_baseline = true\nrationale = "r"\n'
        audit.write_text(f'title = "t"\nbaseline = "../reports/baseline"\n[axes.cost]\n{rule}')
        assert gate(folder, audit=str(audit)).card.verdict.outcome == "pass"
        shutil.rmtree(tmp_path / "reports")
        verdict = gate(folder, audit=str(audit)).card.verdict
        assert verdict.outcome == "inconclusive"
        assert "there is none yet at" in verdict.reasons[0]

    def test_none_is_refused_where_the_audit_file_names_one_that_is_there(self, folder, finished, tmp_path):
        audit = tmp_path / "mine.toml"
        rule = '[[rules]]\nid = "r"\nmeasurement = "cost.macs"\nno_worse_than_baseline = true\nrationale = "r"\n'
        audit.write_text(f'title = "t"\nbaseline = "{finished}"\n[axes.cost]\n{rule}')
        with pytest.raises(InputError, match=r"--baseline none: .* leave the option out"):
            gate(folder, audit=str(audit), baseline="none")

    def test_one_that_was_given_has_to_be_there(self, folder, tmp_path):
        with pytest.raises(InputError, match=r"^baseline: .*No such file"):
            gate(folder, baseline=tmp_path / "nowhere")


def test_the_audit_itself_compares_with_a_baseline(finished, tmp_path):
    rule = {"id": "r", "measurement": "cost.macs", "rationale": "r", "no_worse_than_baseline": True, "margin": 0.1}
    spec = load_audit("quick")
    spec = spec.model_validate({**spec.model_dump(), "rules": [rule]})
    card = efficiency360.audit(
        "timm:test_vit", audit=spec, axes=["cost", "accuracy"], threads=1, baseline=finished, out=tmp_path / "new"
    )
    assert card.verdict.rules[0].outcome == "fail"
    assert card.verdict.outcome == "fail"
    assert "% worse than the baseline's 6.15 M" in card.verdict.reasons[0]


def test_a_name_that_can_be_none_is_not_there(folder):
    assert evidence_bytes(Artifact(path="x" * 5000, sha256="0" * 64, kind="evidence"), folder) is None
