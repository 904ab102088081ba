import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize

from efficiency360.numerics.attacks.projection import onto_hyperplane


def _case(seed, n=5, d=12):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand((n, d), generator=generator, dtype=torch.float64)
    points[0, :4] = torch.tensor([0.0, 1.0, 0.0, 1.0])
    normals = torch.randn((n, d), generator=generator, dtype=torch.float64)
    normals[1, :3] = 0
    within = torch.rand((n, d), generator=generator, dtype=torch.float64)
    return points, normals, (normals * (points - within)).sum(1)


@pytest.mark.parametrize("seed", range(4))
def test_linf_change_is_as_small_as_linear_programming_finds(seed):
    points, normals, heights = _case(seed)
    changes = onto_hyperplane(points, normals, heights, "Linf")
    assert torch.allclose((normals * changes).sum(1), -heights, atol=1e-9)
    assert (points + changes).min() >= -1e-12
    assert (points + changes).max() <= 1 + 1e-12
    d = points.shape[1]
    for point, normal, height, change in zip(points, normals, heights, changes, strict=True):
        cost = np.append(np.zeros(d), 1)
        bounds = [(-p, 1 - p) for p in point.tolist()] + [(0, None)]
        sides = np.block([[np.eye(d), -np.ones((d, 1))], [-np.eye(d), -np.ones((d, 1))]])
        plane = np.append(normal.numpy(), 0)[None]
        best = linprog(cost, sides, np.zeros(2 * d), plane, [-float(height)], bounds)
        assert float(change.abs().max()) == pytest.approx(best.fun, abs=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_l2_change_is_as_small_as_quadratic_programming_finds(seed):
    points, normals, heights = _case(seed)
    changes = onto_hyperplane(points, normals, heights, "L2")
    assert torch.allclose((normals * changes).sum(1), -heights, atol=1e-9)
    for point, normal, height, change in zip(points, normals.numpy(), heights.tolist(), changes, strict=True):
        best = minimize(
            lambda z: (z**2).sum() / 2,
            np.zeros(len(point)),
            jac=lambda z: z,
            bounds=[(-p, 1 - p) for p in point.tolist()],
            constraints={"type": "eq", "fun": lambda z, w=normal, h=height: w @ z + h},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert float(change.square().sum()) == pytest.approx(2 * best.fun, rel=1e-5)


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_a_plane_out_of_reach_is_approached_to_the_edge(norm):
    points, normals = torch.full((1, 3), 0.25), torch.tensor([[1.0, -2.0, 0.0]])
    change = onto_hyperplane(points, normals, torch.tensor([100.0]), norm)
    assert change.tolist() == [[-0.25, 0.75, 0.0]]


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_a_gradient_of_zero_or_no_gap_moves_nothing(norm):
    points = torch.rand(2, 6)
    normals = torch.stack([torch.zeros(6), torch.ones(6)])
    assert not onto_hyperplane(points, normals, torch.tensor([1.0, 0.0]), norm).any()
