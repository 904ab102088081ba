"""An architecture as a picture: a block a stage, as high as it has tokens and as thick as it is wide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efficiency360.searched import Shape, StageShape

WIDTH, HEIGHT = 640, 230
_MIDDLE, _TALLEST, _LEAST = 92.0, 130.0, 26.0
_STEM, _GAP = 46.0, 26.0


@dataclass(frozen=True)
class Box:
    """A block at (x, y) of width and height; `grid` is the rows of units drawn in it, 0 for attention among all."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    grid: int
    lines: tuple[str, ...]
    share: float
    share_said: str

    @property
    def middle(self) -> float:
        """Where its texts are centred."""
        return self.x + self.width / 2

    @property
    def rules(self) -> tuple[float, ...]:
        """Where the lines between units are, as far as they can be told apart."""
        rows = min(self.grid, 8)
        return tuple(self.y + self.height * row / rows for row in range(1, rows))


@dataclass(frozen=True)
class Drawing:
    """All blocks, what stands between them, and the picture in words."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[float, float], ...]
    description: str
    width: float = WIDTH
    height: float = HEIGHT
    middle: float = _MIDDLE


def drawing(shape: Shape, said: dict[str, Any]) -> Drawing:
    """Where the blocks of an architecture stand; `said` are the words."""
    room = WIDTH - 2 * _STEM - _GAP * (len(shape.stages) + 1)
    slot = room / len(shape.stages)
    most, widest = max(stage.tokens_in for stage in shape.stages), max(stage.width for stage in shape.stages)
    boxes = [_box(0.0, _STEM, _TALLEST, "stem", 0, _stem(shape, said), shape.stem_share)]
    x = _STEM + _GAP
    for number, stage in enumerate(shape.stages, start=1):
        thick = slot * (0.45 + 0.55 * stage.width / widest)
        tall = max(_LEAST, _TALLEST * math.sqrt(stage.tokens / most))
        rows = round(math.sqrt(stage.units)) if stage.attention == "units" else 0
        at = x + (slot - thick) / 2
        boxes.append(_box(at, thick, tall, stage.attention, rows, _stage(number, stage, said), stage.share))
        x += slot + _GAP
    head = (said["head"], said["classes"].format(n=shape.classes))
    boxes.append(_box(WIDTH - _STEM, _STEM, _LEAST, "head", 0, head, 0.0))
    arrows = tuple((left.x + left.width + 3, right.x - 4) for left, right in pairwise(boxes))
    return Drawing(tuple(boxes), arrows, said["then"].join(said["and"].join(box.lines) for box in boxes))


def _box(x: float, width: float, height: float, kind: str, grid: int, lines: tuple[str, ...], share: float) -> Box:  # noqa: PLR0913, PLR0917 - a box has that many sides
    said = f"{100 * share:.0f} %" if share else ""
    return Box(x, _MIDDLE - height / 2, width, height, kind, grid, lines, share, said)


def _stem(shape: Shape, said: dict[str, Any]) -> tuple[str, ...]:
    height, width = shape.size
    return (said["stem"], said["size"].format(height=height, width=width), said["patch"].format(n=shape.patch))


def _stage(number: int, stage: StageShape, said: dict[str, Any]) -> tuple[str, ...]:
    pooled = said["pooled"] if stage.pool else ""
    return (
        said["stage"].format(n=number, depth=stage.depth, width=stage.width),
        said["tokens"].format(n=stage.tokens) + pooled,
        said[stage.attention].format(n=stage.units),
        said["inside"].format(heads=stage.heads, ratio=f"{stage.mlp_ratio:g}"),
    )
