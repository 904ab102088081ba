"""The nearest point of a hyperplane inside the box [0, 1]: what FAB takes a step towards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

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
    start, weight = points.flatten(1), normals.flatten(1).abs()
    direction = torch.sign(normals.flatten(1)) * torch.where(heights >= 0, -1.0, 1.0).to(points.dtype)[:, None]
    room = (0.5 - start).mul_(direction).add_(0.5)
    speed = weight if norm == "L2" else None
    size = _solved(weight, speed, room, heights.abs())
    change = torch.minimum(room, _wanted(size, speed)).mul_(direction)
    return change.view(points.shape)


def _solved(weight: Tensor, speed: Tensor | None, room: Tensor, gap: Tensor) -> Tensor:
    """(N,) the lambda of each row; huge where even every coordinate at its edge does not close the gap.

    The first step starts from 0, where nothing has met the box that has room. Comparisons are kept as numbers and rows
    leave when they are done: masks and `where` cost several times as much.
    """
    free = torch.gt(room, 0, out=torch.empty_like(room))
    slope = torch.linalg.vecdot(weight, free if speed is None else free.mul_(speed))
    size = torch.where(slope > 0, gap / slope.clamp(min=_TINY), _HUGE).clamp(max=_HUGE)
    rows = torch.arange(len(gap), device=gap.device)
    for _ in range(_ROUNDS):
        now = size[rows]
        wanted = _wanted(now, speed)
        closed = torch.linalg.vecdot(weight, torch.minimum(room, wanted))
        free = torch.gt(room, wanted, out=torch.empty_like(room))
        slope = torch.linalg.vecdot(weight, free if speed is None else free.mul_(speed))
        step = torch.where(slope > 0, (gap[rows] - closed) / slope.clamp(min=_TINY), _HUGE)
        larger = (now + step).clamp(max=_HUGE)
        more = (larger > now * (1 + _SAME)).nonzero()[:, 0]
        if not len(more):
            break
        rows = rows[more]
        size[rows] = larger[more]
        weight, room = weight.index_select(0, more), room.index_select(0, more)
        speed = None if speed is None else weight
    return size


def _wanted(size: Tensor, speed: Tensor | None) -> Tensor:
    """How far each coordinate would go without the box: (N, d), or (N, 1) where all go as far."""
    return size[:, None] if speed is None else size[:, None] * speed
