"""Architectures that are files: `zoo:PATH.toml` on the command line and in manifests."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

import efficiency360
from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.files import sha256_file
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

SPEC = "size = 16\nunit = 2\nclasses = 10\n[[stages]]\ndepth = 1\nwidth = 8\nheads = 2\n"


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "specs" / "mine.toml"
    path.parent.mkdir()
    path.write_text(SPEC)
    return path


def test_what_a_spec_says_is_part_of_the_request_and_may_be_read_but_is_no_code(spec):
    request = request_subject(f"zoo:{spec}", SubjectOptions())
    assert (request.arch, request.reads) == (f"zoo:{spec}", (str(spec),))
    assert request.spec_fingerprint == sha256_file(spec)
    assert not request.runs_code


def test_a_manifest_names_a_spec_from_its_own_folder_and_weights_tell_classes_and_channels(spec, tmp_path):
    trained = zoo.create(str(spec), num_classes=3, channels=1, size=(24, 16))
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    (tmp_path / "weights.toml").write_text('[model]\narch = "zoo:specs/mine.toml"\n[preprocess]\nsize = [24, 16]\n')
    request = request_subject(str(tmp_path / "weights.safetensors"), SubjectOptions())
    subject, info = load_subject(request.model_copy(update={"device": "cpu"}))
    assert info.record.arch == "zoo:mine.toml"
    assert info.record.input == (1, 24, 16)
    assert subject.num_classes == 3
    images = torch.rand(2, 1, 24, 16)
    torch.testing.assert_close(subject.logits(images), trained.eval()(images))


def test_a_mistake_in_a_spec_is_said_before_anything_runs(spec):
    spec.write_text(SPEC.replace("heads", "heds"))
    for subject, options in ((f"zoo:{spec}", SubjectOptions()), ("x.pt", SubjectOptions(arch=f"zoo:{spec}"))):
        (spec.parent.parent / "x.pt").write_bytes(b"")
        with pytest.raises(InputError):
            request_subject(subject, options)
    with pytest.raises(InputError, match=r"unknown key 'stages.1.heds'; did you mean 'heads'\?"):
        request_subject(f"zoo:{spec}", SubjectOptions())


def test_a_size_that_the_units_do_not_divide_is_one_line():
    request = request_subject("zoo:turbovit_tiny", SubjectOptions(input=(3, 40, 40)))
    with pytest.raises(InputError, match="40 x 40 is not divisible by 16") as caught:
        load_subject(request)
    assert "\n" not in str(caught.value)


def test_an_audit_behind_the_wall_reads_the_spec(spec):
    card = efficiency360.audit(f"zoo:{spec}", axes=["cost"], threads=1)
    parameters = sum(parameter.numel() for parameter in zoo.create(str(spec)).parameters())
    assert card.axis("cost").status == "measured"
    assert next(one.value for one in card.axis("cost").measurements if one.name == "cost.params") == parameters
