"""Batches, order and company of an image change nothing but the time."""

import numpy as np
import pytest
import torch
from torch import nn

from efficiency360.numerics.attacks import Spec, sweep, without_parameter_gradients

_ALL = [
    Spec("apgd-ce", {"steps": 10}),
    Spec("apgd-t", {"steps": 8, "targets": 3, "restarts": 2}),
    Spec("fab-t", {"steps": 6, "targets": 2}),
    Spec("square", {"queries": 60}),
]
_ARRAYS = ("positions", "labels", "right", "fell_at", "broken_by", "queries", "gradients")


def _doubled(module):
    """In double precision, so that a batch's size does not change the last digits that decide."""
    double = nn.Sequential(*module).double()
    return lambda images: double(images.double())


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_outcomes_are_the_same_in_every_batch_size(digits, norm):
    module, images, labels = digits
    logits, eps = _doubled(module), [0.05, 0.1] if norm == "Linf" else [0.3, 0.6]
    outcomes = [
        sweep(logits, [(range(40), images[:40].double(), labels[:40])], _ALL, norm, eps, batch=batch)
        for batch in (7, 64)
    ]
    module.float()
    for name in _ARRAYS:
        assert np.array_equal(getattr(outcomes[0], name), getattr(outcomes[1], name)), name
    assert 0 < outcomes[0].survived_at(1).sum() < outcomes[0].survived_at(0).sum() < 40
    assert len(set(outcomes[0].broken_by.tolist())) > 2


def test_one_row_at_a_time_gives_the_same(digits):
    module, images, labels = digits
    logits = _doubled(module)
    source = [(range(6), images[:6].double(), labels[:6])]
    one, many = (sweep(logits, source, _ALL, "Linf", [0.08], batch=batch) for batch in (1, 6))
    module.float()
    for name in _ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(many, name)), name


def test_order_and_chunks_of_images_change_nothing(digits):
    module, images, labels = digits
    logits, images = _doubled(module), images[:30].double()
    straight = sweep(logits, [(range(30), images, labels[:30])], _ALL, "Linf", [0.08], batch=8)
    chunks = [([i], images[i : i + 1], labels[i : i + 1]) for i in reversed(range(30))]
    reverse = sweep(logits, chunks, _ALL, "Linf", [0.08], batch=8)
    module.float()
    for name in _ARRAYS:
        assert np.array_equal(getattr(straight, name), getattr(reverse, name)[::-1]), name


def test_another_seed_begins_elsewhere(linear, swept):
    model = linear()
    eps = [float(model.distances("Linf").median())]
    first, same, other = (
        swept(model.module, model.chunks(), [Spec("square", {"queries": 30})], "Linf", eps, seed=seed)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first.margin, same.margin)
    assert not np.array_equal(first.margin, other.margin)


def test_only_as_many_images_are_on_their_way_as_batches_hold(linear, swept):
    model, batch, most = linear(n=8), 4, []
    eps = [float(model.distances("Linf").median()) * share for share in (0.5, 1.0)]
    specs = [Spec("apgd-ce", {"steps": 3}), Spec("square", {"queries": 5})]

    def stream(n):
        for at in range(n):
            yield [at], model.images[at % 8][None], model.labels[at % 8][None]

    for n in (40, 200):
        on_their_way = [0]

        def watch(done, taken, seen=on_their_way):
            seen[0] = max(seen[0], taken - done)

        swept(model.module, stream(n), specs, "Linf", eps, batch=batch, progress=watch)
        most.append(on_their_way[0])
    assert most[1] <= len(specs) * len(eps) * batch
    assert most[1] <= most[0] + batch


def test_adversarial_images_are_kept_for_the_first_that_fell_and_no_more(linear, swept):
    model = linear()
    eps = float(model.distances("Linf").median())
    for batch in (3, 50):
        outcome = swept(
            model.module, model.chunks(5), [Spec("apgd-t", {"steps": 30})], "Linf", [eps], batch=batch, keep=4
        )
        fallen = np.flatnonzero(outcome.fell_at == 0)
        assert [kept.position for kept in outcome.kept] == fallen[:4].tolist()
    kept = outcome.kept[0]
    with torch.no_grad():
        assert int(model.module(kept.adversarial[None]).argmax()) != kept.label == int(kept.clean_logits.argmax())
    assert 0 < float((kept.adversarial - kept.clean).abs().max()) <= eps + 2e-7
    assert np.allclose(outcome.logits[kept.position], kept.logits)


def test_parameters_get_no_gradients_and_want_them_again_afterwards(linear, swept):
    model = linear()
    model.module[1].bias.requires_grad_(requires_grad=False)
    swept(model.module, model.chunks(), _ALL, "Linf", [0.01])
    assert all(weight.grad is None for weight in model.module.parameters())
    assert [weight.requires_grad for weight in model.module.parameters()] == [True, False]


def _fail(module):
    with without_parameter_gradients(module):
        assert not module[1].weight.requires_grad
        raise KeyError


def test_wanting_gradients_comes_back_after_an_error(linear):
    module = linear().module
    with pytest.raises(KeyError):
        _fail(module)
    assert module[1].weight.requires_grad


def test_it_works_inside_inference_mode_of_the_caller(linear):
    model = linear()
    with torch.inference_mode():
        outcome = sweep(model.module, model.chunks(), [Spec("apgd-t", {"steps": 30})], "Linf", [0.2])
    assert not outcome.survived.any()


def test_one_forward_pass_a_step_and_one_to_check_each_success(linear):
    model, steps = linear(), 30
    exact = model.distances("Linf").numpy()
    calls = []

    def counted(images):
        calls.append(len(images))
        return model.module(images)

    outcome = sweep(counted, model.chunks(), [Spec("apgd-ce", {"steps": steps})], "Linf", [float(exact.min()) / 2])
    assert outcome.survived.all()
    assert outcome.queries.tolist() == [steps + 2] * len(exact)
    assert outcome.gradients.tolist() == [steps + 1] * len(exact)
    assert sum(calls) == outcome.queries.sum()
    calls.clear()
    fell = sweep(counted, model.chunks(), [Spec("apgd-ce", {"steps": steps})], "Linf", [0.3])
    assert sum(calls) == fell.queries.sum() < 8 * len(exact)


def test_images_that_are_wrong_are_not_attacked(linear, swept):
    model = linear()
    model.labels[:5] = (model.labels[:5] + 1) % 6
    outcome = swept(model.module, model.chunks(), [Spec("apgd-ce", {"steps": 3})], "Linf", [1e-6])
    assert outcome.right.tolist() == [False] * 5 + [True] * 19
    assert outcome.distance[:5].tolist() == [0.0] * 5
    assert outcome.queries[:5].tolist() == [1] * 5
    assert (outcome.margin[:5] > 0).all()
    assert outcome.tallies[0].images == 19


def test_nothing_in_nothing_out(linear, swept):
    model = linear()
    outcome = swept(model.module, [], _ALL, "Linf", [0.1])
    assert len(outcome.survived) == len(outcome.tallies) == 0
