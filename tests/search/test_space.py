from __future__ import annotations

import numpy as np
import pytest
import torch

from efficiency360.errors import InputError
from efficiency360.numerics.complexity import count
from efficiency360.search.analytic import cost_of
from efficiency360.search.inquisitor import advice
from efficiency360.search.lightest import check_ceilings, lightest
from efficiency360.search.space import key_of
from efficiency360.zoo.turbovit import TurboViT


def drawn(space, n, seed=0):
    rng = np.random.default_rng(seed)
    return [space.random(rng) for _ in range(n)]


def test_every_drawn_genome_is_a_model_that_runs(space):
    for genome in drawn(space, 12):
        spec = space.spec(genome)
        assert TurboViT(spec)(torch.rand(2, 1, *spec.size)).shape == (2, 10)


def test_genomes_are_equal_iff_their_models_are(space):
    every = {key_of(genome): space.spec(genome) for genome in drawn(space, 300)}
    assert len({spec.model_dump_json() for spec in every.values()}) == len(every)
    assert all(space.canonical(genome) == genome for genome in drawn(space, 50))


def test_neighbours_differ_and_stay_in_the_space(space):
    for genome in drawn(space, 10):
        near = [other for _, other in space.neighbours(genome)]
        assert near
        assert all(other != genome and space.canonical(other) == other for other in near)
        assert space.mutated(genome, np.random.default_rng(0)) != genome


def test_required_patterns_hold_in_every_model(made):
    space = made(
        require={"unit_attention_stages": 1, "global_attention_last": True}, space={"stages": [2, 3], "patch": [2]}
    )
    rng = np.random.default_rng(0)
    for genome in [space.random(rng) for _ in range(40)]:
        stages = space.spec(space.mutated(genome, rng)).stages
        assert stages[0].attention == ("units",)
        assert stages[-1].attention == ("global",)


def test_units_that_are_asked_for_cut_the_image(made):
    space = made(require={"unit_attention_stages": 1}, space={"patch": [2], "unit": [2, 4], "stages": [2]})
    assert all(space.spec(genome).units > 1 for genome in drawn(space, 30))


def test_a_space_whose_units_never_fit_is_refused(made):
    with pytest.raises(InputError, match=r"no size of .* can be cut"):
        made(space={"size": [10], "patch": [4], "unit": [4]})


def test_parameters_and_multiply_adds_are_those_of_the_module(space):
    for genome in drawn(space, 8, seed=3):
        spec = space.spec(genome)
        model, cost = TurboViT(spec).eval(), cost_of(spec)
        assert cost.params == sum(one.numel() for one in model.parameters())
        assert cost.macs == count(model, torch.rand(1, 1, *spec.size)).matmul_macs


def test_memory_is_near_what_lives_in_the_module_at_once(space):
    for genome in drawn(space, 6, seed=5):
        spec = space.spec(genome)
        model = TurboViT(spec).eval()
        weights = sum(one.numel() for one in model.parameters())
        found = 4 * (weights + _most_alive(model, torch.rand(1, 1, *spec.size)))
        assert cost_of(spec).memory_bytes == pytest.approx(found, rel=0.25)


def _most_alive(model, image):
    """The most elements that tensors made by a forward pass hold at one time, by watching every one come and go."""
    import weakref  # noqa: PLC0415

    from torch.utils._python_dispatch import TorchDispatchMode  # noqa: PLC0415

    alive, most = {}, [0]

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for one in out if isinstance(out, tuple | list) else (out,):
                if isinstance(one, torch.Tensor) and (storage := one.untyped_storage()).data_ptr() not in alive:
                    at = storage.data_ptr()
                    alive[at] = storage.nbytes() // 4
                    weakref.finalize(storage, alive.pop, at, None)
            most[0] = max(most[0], sum(alive.values()))
            return out

    weights = {one.untyped_storage().data_ptr(): 0 for one in model.parameters()}
    alive.update(weights)
    with torch.no_grad(), Watch():
        model(image)
    return most[0] + image.numel()


def test_a_ceiling_that_nothing_meets_is_told_with_the_nearest_point(made):
    with pytest.raises(InputError, match=r"limits.params = 10 is met by no model .* nearest is \d+ \(size 8"):
        check_ceilings(made({"params": 10}))
    check_ceilings(made({"params": 1e6}))


def test_the_lightest_model_is_that_of_a_full_count(space):
    least = min(cost_of(space.spec(genome)).macs for genome in drawn(space, 400))
    assert cost_of(space.spec(lightest(space))).macs <= least


def test_the_inquisitor_shrinks_the_stage_that_weighs_most_and_makes_it_cheaper(made, seen):
    space = made({"latency_p95_ms": 1.0})
    for genome in drawn(space, 10, seed=7):
        heavy = cost_of(space.spec(genome)).heaviest
        late = seen(space, genome, latency_ms=2.0, p95_ms=2.0)
        for one in advice(space, late, space.constraints.limits):
            assert one.gene.endswith(f"_{heavy}")
            assert f"latency is 2 times its limit, and stage {heavy}" in one.reason
            assert cost_of(space.spec(one.genome)).macs <= cost_of(space.spec(genome)).macs


def test_the_inquisitor_lets_the_lightest_stage_grow_where_accuracy_is_missed(made, seen):
    space = made({"accuracy": 0.9, "macs": 1e9})
    genome = lightest(space)
    found = list(advice(space, seen(space, genome, latency_ms=1.0, accuracy=0.5), space.constraints.limits))
    assert found
    assert all(cost_of(space.spec(one.genome)).macs > cost_of(space.spec(genome)).macs for one in found)
