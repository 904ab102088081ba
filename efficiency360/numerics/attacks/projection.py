"""The nearest point of a hyperplane inside the box [0, 1]: what FAB takes a step towards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks.ball import per_row

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDS = 100
"""Newton's method on a concave, piecewise linear function ends after a few; this only bounds the loop."""
_TINY, _HUGE, _SAME = 1e-30, 1e30, 1e-6


def onto_hyperplane(points: Tensor, normals: Tensor, heights: Tensor, norm: str) -> Tensor:
    """The smallest change that brings points to {z in [0, 1]^d: <normal, z - point> + height = 0}.

    Each coordinate moves against its part of the gap, at speed 1 (Linf) or |w_i| (L2), until it meets the box:
    change_i = min(lambda v_i, room_i), and lambda solves sum |w_i| change_i = |height|. The sum is concave in lambda,
    so Newton's method from 0 climbs to the solution from below without sorting the coordinates. Where the box holds no
    solution, each coordinate goes to its edge, as near as it gets (Croce and Hein 2020, arXiv 1907.02044, section 3.2).

    Args:
        points: (N, ...) in [0, 1].
        normals: (N, ...), the gradient w.
        heights: (N,), the value at the points.
        norm: "Linf" or "L2".

    Returns:
        (N, ...) changes.
    """
    falls = per_row(heights >= 0, points)
    downward = (normals > 0) == falls
    weight = normals.abs()
    speed = torch.ones_like(weight) if norm == "Linf" else weight
    room = torch.where(downward, points, 1 - points)
    room = torch.where(weight > 0, room, 0)
    size = _solved(weight, speed, room, heights.abs())
    change = torch.minimum(per_row(size, points) * speed, room)
    return torch.where(downward, -change, change)


def _solved(weight: Tensor, speed: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """(N,) the lambda of each row; huge where even every coordinate at its edge does not close the gap."""
    weight, speed, room = weight.flatten(1), speed.flatten(1), room.flatten(1)
    wanted, slopes = weight * room, weight * speed
    size = torch.zeros_like(gap)
    for _ in range(_ROUNDS):
        free = size[:, None] * speed < room
        slope = (slopes * free).sum(dim=1)
        rest = gap - (wanted * ~free).sum(dim=1)
        larger = torch.where(slope > 0, rest / slope.clamp(min=_TINY), _HUGE).clamp(max=_HUGE)
        larger = torch.maximum(size, larger)
        if not (larger > size * (1 + _SAME)).any():
            break
        size = larger
    return size
