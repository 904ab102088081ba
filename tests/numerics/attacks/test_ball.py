import pytest
import torch

from efficiency360.errors import InputError
from efficiency360.numerics.attacks import Ball


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_what_is_projected_is_inside_and_in_range_and_stays(norm):
    torch.manual_seed(0)
    clean, images = torch.rand(9, 3, 5, 5), torch.randn(9, 3, 5, 5)
    ball = Ball(norm, 0.07)
    projected = ball.project(clean, images)
    assert ball.inside(clean, projected).all()
    assert 0 <= projected.min() <= projected.max() <= 1
    assert torch.allclose(ball.project(clean, projected), projected, atol=1e-6)


def test_linf_projection_is_the_nearest_point():
    assert torch.equal(
        Ball("Linf", 0.25).project(torch.tensor([[0.5, 0.9, 0.1]]), torch.tensor([[0.9, 2.0, 0.2]])),
        torch.tensor([[0.75, 1.0, 0.2]]),
    )


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_a_hundredth_too_far_is_outside_and_so_is_nan(norm):
    ball, clean = Ball(norm, 0.1), torch.full((3, 1, 1, 1), 0.5)
    images = clean + torch.tensor([0.1, 0.101, float("nan")]).view(3, 1, 1, 1)
    assert ball.inside(clean, images).tolist() == [True, False, False]


@pytest.mark.parametrize(("norm", "eps"), [("Linf", 4.0), ("Linf", -0.1), ("L2", float("nan")), ("L1", 0.1)])
def test_a_ball_that_makes_no_sense_is_refused(norm, eps):
    with pytest.raises(InputError):
        Ball(norm, eps)
