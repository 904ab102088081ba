"""Shapes and constants of the values that enter and leave a node of a traced graph."""

from collections.abc import Sequence
from math import prod
from typing import Any

Value = Any
"""A ``torch._C.Value``: torch's own stub leaves out half of its methods."""

Values = Sequence[Value]


class UnknownShapeError(ValueError):
    """The graph does not tell the shape of a tensor."""


def shape(value: Value) -> list[int]:
    """Give a tensor's shape; UnknownShapeError where the graph does not know it."""
    if not value.isCompleteTensor():
        raise UnknownShapeError
    sizes: list[int] = value.type().sizes()
    return sizes


def numel(value: Value) -> int:
    """Count a tensor's elements."""
    return prod(shape(value))


def real_numel(value: Value) -> int:
    """Count a tensor's elements if they are floating point or complex; integers and booleans count nothing."""
    dtype = value.type().dtype() if value.type().kind() == "TensorType" else None
    return numel(value) if dtype is None or dtype.is_floating_point or dtype.is_complex else 0


def is_list(value: Value) -> bool:
    """Whether the value is a list, of numbers or of tensors."""
    return bool(value.type().kind() == "ListType")


def items(value: Value) -> list[Value]:
    """Give the elements of a list of tensors."""
    return list(value.node().inputs())


def integers(value: Value) -> list[int]:
    """Give the elements of a list of integers; an absent list is empty."""
    constant = value.toIValue()
    if constant is not None or not is_list(value):
        return list(constant or ())
    return [item.toIValue() for item in items(value)]
