"""A whole search on digits, small enough for a test, and what its result says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from efficiency360.errors import InputError
from efficiency360.render import search_page
from efficiency360.search.api import Wishes, search
from efficiency360.search.constraints import parse_constraints
from efficiency360.search.data import open_images
from efficiency360.search.latency import ALLOWANCE
from efficiency360.search.proxies import proxies
from efficiency360.search.run import Search
from efficiency360.search.training import train
from efficiency360.searched import Searched
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

pytest.importorskip("optuna", reason="pip install efficiency360[search]")

CONTENT = {
    "channels": 1,
    "limits": {"accuracy": 0.05, "latency_p95_ms": 2000, "params": 6000},
    "training": {"epochs": 2, "rungs": 2, "keep_one_of": 2, "batch": 64, "rate": 5e-3, "smoothing": 0, "flip": False},
    "space": {
        "size": [8],
        "patch": [2],
        "unit": [2],
        "head_width": [8],
        "stages": [2],
        "depth": [1],
        "width": [8, 12, 32],
        "mlp_ratio": [1],
        "attention": ["global"],
        "pool": [True],
    },
}


class Silent:
    """A reporter that keeps what it was told."""

    def __init__(self):
        self.found_so_far = []

    def stage(self, text): ...

    def progress(self, done, total): ...

    def found(self, candidate, front):
        assert all(one.state == "trained" for one in front)
        self.found_so_far.append(candidate)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A search of seven candidates in two runs, and where it is."""
    out, reporter = tmp_path_factory.mktemp("search"), Silent()
    constraints = parse_constraints(CONTENT, "c")
    for most in (3, 7):
        result = search(constraints, "digits-train", out, Wishes(seconds=200, most=most, threads=1), reporter)
    return result, out, reporter


def test_a_search_goes_on_where_it_ended(done):
    result, _, reporter = done
    keys = [json.dumps(one.genome, sort_keys=True) for one in result.candidates]
    assert len(keys) == len(set(keys)) >= 4
    assert result.cost.processes == 2
    numbers = [one.number for one in reporter.found_so_far]
    assert numbers == sorted(set(numbers))


def test_every_front_model_keeps_every_limit_when_measured_again(done):
    result, _, _ = done
    limits = CONTENT["limits"]
    by_number = {one.number: one for one in result.candidates}
    assert result.front
    for model in result.front:
        one = by_number[model.number]
        assert model.p95_bound_ms == pytest.approx(model.latency.p95.high * (1 + ALLOWANCE))
        assert model.p95_bound_ms <= limits["latency_p95_ms"]
        assert one.params <= limits["params"]
        assert one.rungs[-1].accuracy >= limits["accuracy"]
    assert sum(model.chosen for model in result.front) == 1


def test_a_limit_that_cuts_the_space_is_told_with_what_it_keeps_away(done):
    result, _, _ = done
    by_limit = {price.limit: price for price in result.prices}
    assert set(by_limit) == set(CONTENT["limits"])
    assert by_limit["params"].alone >= 1
    assert by_limit["latency_p95_ms"].missed == 0


def test_who_misses_a_ceiling_is_never_trained(done):
    result, _, _ = done
    heavy = [one for one in result.candidates if one.params > CONTENT["limits"]["params"]]
    assert all(one.state == "rejected" and not one.rungs and "parameters" in one.why for one in heavy)


def test_a_front_model_opens_as_any_other_and_is_as_right_as_the_result_says(done):
    result, out, _ = done
    model = next(one for one in result.front if one.chosen)
    name = next(one.name for one in result.candidates if one.number == model.number)
    request = request_subject(str(out / "front" / name / "model.safetensors"), SubjectOptions())
    subject, _ = load_subject(request)
    judge = open_images("digits-train", parse_constraints(CONTENT, "c").training, channels=1).at(8).judge
    logits = subject.logits(torch.from_numpy(judge.pixels).float() / 255)
    right = int((logits.argmax(dim=1).numpy() == judge.labels).sum())
    assert right / len(judge) == pytest.approx(model.judged)


def test_the_result_reads_back_and_its_page_is_the_same_each_time(done):
    result, out, _ = done
    kept = Searched.model_validate_json((out / "search.json").read_text(encoding="utf-8"))
    assert kept == result
    page = search_page.render(kept)
    assert page == search_page.render(kept)
    assert "<script" not in page
    assert all(one.name in page for one in result.candidates)
    assert "How good the probes were" in page
    assert 'lang="en"' not in search_page.render(kept, language="ja")
    hostile = kept.model_copy(update={"title": "<script>alert(1)</script>", "classes": ("<b>", "x"), "data": "<i>"})
    assert "<script" not in search_page.render(hostile)
    assert "<i>:" not in search_page.render(hostile)


def test_a_run_ends_once_no_time_is_left_for_the_next_training(tmp_path, monkeypatch):
    reporter, constraints = Silent(), parse_constraints(CONTENT, "c")
    search(constraints, "digits-train", tmp_path, Wishes(seconds=60, most=2, threads=1), reporter)
    monkeypatch.setattr(Search, "_too_long", lambda *_: True)
    result = search(constraints, "digits-train", tmp_path, Wishes(seconds=60, threads=1), reporter)
    assert len(result.candidates) <= 3 + sum(one.state == "rejected" for one in result.candidates)


def test_a_limit_on_latency_that_nothing_meets_is_refused_with_the_nearest(tmp_path):
    content = {**CONTENT, "limits": {"latency_p95_ms": 1e-4}}
    with pytest.raises(InputError, match=r"limits.latency_p95_ms = 0.0001 is met by no model .* 95th percentile is"):
        search(parse_constraints(content, "c"), "digits-train", tmp_path, Wishes(seconds=60, threads=1), Silent())


def test_an_accuracy_that_nothing_reaches_names_the_limit_and_the_nearest_point(tmp_path):
    content = {**CONTENT, "limits": {"accuracy": 0.999}, "training": {**CONTENT["training"], "epochs": 1, "rungs": 1}}
    wishes = Wishes(seconds=60, most=1, threads=1)
    result = search(parse_constraints(content, "c"), "digits-train", tmp_path, wishes, Silent())
    assert not result.front
    assert "limits.accuracy = 0.999 binds; the nearest point is accuracy 0." in result.nearest
    assert "No model met all limits" in search_page.render(result)


def test_training_is_the_same_for_a_seed_and_learns(space):
    constraints = parse_constraints(CONTENT, "c")
    data = open_images("digits-train", constraints.training, channels=1).at(8)
    spec = space.spec(space.completed({"patch": 2, "stages": 1, "width_1": 16}))
    first, again = (train(spec, data, constraints.training, 3, seed=4) for _ in range(2))
    assert first.right.tolist() == again.right.tolist()
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True))
    assert first.right.sum() / first.n.sum() > 0.2  # ten classes
    scores = proxies(spec, data)
    assert scores == proxies(spec, data)
    assert set(scores) == {"synflow", "jacob_cov", "grad_norm", "zen"}


def test_images_are_split_by_class_without_overlap_and_too_few_are_refused(tmp_path):
    training = parse_constraints(CONTENT, "c").training
    images = open_images("digits-train", training, channels=1)
    assert sum(images.counts) == len(images.labels)
    for label in range(10):
        shares = [((images.labels == label) & (images.part == which)).sum() for which in range(3)]
        assert shares[1] == pytest.approx(0.2 * sum(shares), abs=1)
    rng = np.random.default_rng(0)
    few = {"images": rng.integers(0, 255, (30, 8, 8), dtype=np.uint8), "labels": np.arange(30) % 2}
    np.savez(tmp_path / "few.npz", **few)
    with pytest.raises(InputError, match=r"too small for a search: of 30 images .* give 100 images"):
        open_images(str(tmp_path / "few.npz"), training, channels=1)
