"""Multiply-adds of a product of several tensors: einsum in the order in which torch contracts, and matrix chains."""

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from math import prod

from efficiency360.numerics.flop_values import Values, integers, items, shape

Sizes = dict[str, int]
"""Label of an index -> its size."""


def _labels(term: str, rank: int) -> list[str]:
    """Label each dimension of an operand; those under the ellipsis are numbered from its right end."""
    before, dots, after = term.partition("...")
    hidden = range(rank - len(before) - len(after), 0, -1) if dots else ()
    return [*before, *(f"...{place}" for place in hidden), *after]


def _implicit_output(terms: list[list[str]]) -> set[str]:
    times = Counter(label for term in terms for label in term)
    return {label for label, count in times.items() if count == 1 or label.startswith("...")}


def _output(text: str, terms: list[list[str]]) -> set[str]:
    ellipsis = {label for term in terms for label in term if label.startswith("...")} if "..." in text else set()
    return set(text.replace("...", "")) | ellipsis


def _merge(left: Sizes, right: Sizes) -> Sizes:
    return {label: max(left.get(label, 1), right.get(label, 1)) for label in left | right}


def _sizes(labels: list[str], sizes: list[int]) -> Sizes:
    return dict(zip(labels, sizes, strict=True))


def _pairs(count: int, path: list[int]) -> list[tuple[int, int]]:
    if not path:
        return [(0, 1)] * (count - 1)
    return [(min(pair), max(pair)) for pair in zip(path[::2], path[1::2], strict=True)]


def contraction_macs(equation: str, shapes: list[list[int]], path: list[int]) -> tuple[int, int]:
    """Count the MACs of an einsum: the product of all index sizes of each contraction of two operands.

    Args:
        equation: as for ``torch.einsum``, the ellipsis and the implicit output included.
        shapes: one shape an operand.
        path: pairs of operands in one flat list, each result appended at the end; empty for torch's own order.

    Returns:
        MACs that sum over an index, and those of outer products, which sum over none. One operand costs nothing.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = [_labels(term, len(sizes)) for term, sizes in zip(left.split(","), shapes, strict=True)]
    output = _output(right, terms) if arrow else _implicit_output(terms)
    operands = [_sizes(labels, sizes) for labels, sizes in zip(terms, shapes, strict=True)]
    summed = outer = 0
    for first, second in _pairs(len(operands), path):
        joint = _merge(operands.pop(second), operands.pop(first))
        kept = output.union(*operands)
        macs = prod(joint.values())
        if joint.keys() <= kept:
            outer += macs
        else:
            summed += macs
        operands.append({label: size for label, size in joint.items() if label in kept})
    return summed, outer


def einsum(inputs: Values, _outputs: Values) -> Counter[str]:
    """Count ``aten::einsum``; its outer products go under a name of their own."""
    shapes = [shape(item) for item in items(inputs[1])]
    path = integers(inputs[2]) if inputs[2:] else []
    summed, outer = contraction_macs(inputs[0].toIValue(), shapes, path)
    return Counter({"einsum": summed}) + Counter({"einsum_outer": outer}) or Counter(einsum=0)


def chain(inputs: Values, _outputs: Values) -> int:
    """Count ``linalg_multi_dot``, which picks the cheapest order."""
    return chain_macs([shape(item) for item in items(inputs[0])])


def chain_macs(shapes: list[list[int]]) -> int:
    """Count a chain of matrix products in the cheapest order (Cormen et al., Introduction to Algorithms, 15.2)."""
    first, *_, last = shapes
    matrices = [[1, *first][-2:], *shapes[1:-1], [*last, 1][:2]]
    sides = [matrices[0][0], *(columns for _, columns in matrices)]
    if any(left[1] != right[0] for left, right in pairwise(matrices)):
        raise ValueError(f"not a chain of matrices: {shapes}")

    @lru_cache(None)
    def cheapest(start: int, stop: int) -> int:
        if stop - start == 1:
            return 0
        splits = range(start + 1, stop)
        return min(cheapest(start, at) + cheapest(at, stop) + sides[start] * sides[at] * sides[stop] for at in splits)

    return cheapest(0, len(matrices))
