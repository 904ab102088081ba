"""Compute of a model: multiply-adds, activations and element-wise work of one forward pass, and what nobody counted."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn
from torch._C import Node

from efficiency360.errors import AxisError
from efficiency360.numerics.as_found import left_as_found
from efficiency360.numerics.chance import same_chance
from efficiency360.numerics.fixed_batch import FixedBatch
from efficiency360.numerics.flop_operators import ELEMENTWISE, MOVEMENT, PLUMBING, REDUCTIONS
from efficiency360.numerics.flop_table import HANDLES, PRODUCTS, activations
from efficiency360.numerics.flop_trace import traced
from efficiency360.numerics.flop_values import Values, is_list, real_numel
from efficiency360.numerics.untraced import only_when_traced, untraced
from efficiency360.words import told

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts a loss on import, which torch 2.15 deprecates
    from fvcore.nn import FlopCountAnalysis


@dataclass(frozen=True)
class Complexity:
    """Compute of one forward pass, in fvcore's convention (see ``flop_handles``), with a second opinion from torch.

    What would make it wrong: a model whose path depends on the values of the image (only the path taken is counted),
    arithmetic outside torch (NumPy in a forward pass leaves no trace), and whatever ``uncounted_calls`` names.
    """

    macs: int
    """Multiply-adds; half the FLOPs of the products."""
    activations: int
    """Elements of the outputs of convolutions, matrix products and attention."""
    macs_by_operator: dict[str, int]
    calls_by_operator: dict[str, int]
    uncounted_calls: dict[str, int]
    """Operator -> calls that no handle understood; their MACs are missing."""
    elementwise_elements: int
    """Elements that element-wise arithmetic wrote and reductions read: work that the convention leaves out."""
    matmul_macs: int
    """The part of ``macs`` in convolutions, matrix products, attention and recurrent layers."""
    reference_matmul_macs: int
    """The same by torch's own registry, from the kernels that ran."""
    unregistered_elements: int = 0
    """Elements of tensors that it used and that are neither parameters nor buffers: weights kept elsewhere."""
    follows_image: bool = True
    """Whether the tracer can follow the image to the answer; where not, something outside torch computed between, or
    another thread."""
    traced_differently: bool = False
    """Whether it answers otherwise when no tracer follows it: what was counted is then not what it computes."""

    @property
    def coverage(self) -> float:
        """Share of calls that were counted, 0 to 1; 1 where there was nothing to count."""
        counted, uncounted = sum(self.calls_by_operator.values()), sum(self.uncounted_calls.values())
        return counted / (counted + uncounted) if uncounted else 1.0

    @property
    def disagreement(self) -> float:
        """Distance between the two counts of the products, 0 to 1 of the larger one."""
        larger = max(self.matmul_macs, self.reference_matmul_macs)
        return abs(self.matmul_macs - self.reference_matmul_macs) / larger if larger else 0.0

    def shared(self, n: int) -> "Complexity":
        """The share of one of n images that were counted together."""
        each = {name: round(macs / n) for name, macs in self.macs_by_operator.items()}
        return replace(
            self,
            macs=sum(each.values()),
            activations=round(self.activations / n),
            macs_by_operator=each,
            elementwise_elements=round(self.elementwise_elements / n),
            matmul_macs=sum(macs for name, macs in each.items() if name in PRODUCTS),
            reference_matmul_macs=round(self.reference_matmul_macs / n),
        )


def count(module: nn.Module, images: Tensor) -> Complexity:
    """Count the compute of one forward pass, in evaluation mode and without gradients.

    It runs a second time without the tracer, from the same random numbers, to see whether it answers the same.

    Args:
        module: any model that takes one batch of images; it is left as found.
        images: (1, C, H, W) on the model's device, in the range it expects. A larger batch is counted whole. For a
            program of a fixed batch (``FixedBatch``) its batch is filled up, counted, and divided by its size.

    Raises:
        AxisError: the forward pass failed, or cannot be traced.
    """
    if isinstance(module, FixedBatch):
        full = module.full(images)
        return count(module.module, full).shared(len(full) // len(images))
    given = images.clone()
    with _explained(module, given):
        with same_chance(), left_as_found(module, images) as evaluated:
            found, traced = SinglePassAnalysis(evaluated, images).complexity()
        return replace(found, traced_differently=only_when_traced(module, given, traced))


@contextmanager
def _explained(module: nn.Module, images: Tensor) -> Iterator[None]:
    """Say whether a model failed or only its tracing did."""
    try:
        yield
    except Exception as error:
        what = f"cannot count the compute of {type(module).__name__} at an input of {'x'.join(map(str, images.shape))}"
        reason = told(error)
        try:
            untraced(module, images)
        except Exception:  # noqa: BLE001 - whatever it raises, it did not run
            raise AxisError(f"{what}: its forward pass failed ({reason})") from error
        raise AxisError(f"{what}: it runs, but torch's tracer cannot follow it ({reason})") from error


@dataclass
class _Tally:
    macs: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    uncounted: Counter[str] = field(default_factory=Counter)
    activations: int = 0
    elementwise: int = 0


class SinglePassAnalysis(FlopCountAnalysis):  # type: ignore[misc] # fvcore has no types
    """fvcore's analysis with handles for what it misses, and every number from one walk over one traced pass."""

    def __init__(self, module: nn.Module, images: Tensor) -> None:
        super().__init__(module, (images,))
        self.set_op_handle(**HANDLES)
        self._tally = _Tally()

    def complexity(self) -> tuple[Complexity, list[Tensor]]:
        """Trace the forward pass and add up its nodes; with them the tensors that the module answered."""
        trace = traced(self._model, self._inputs[0])
        for node in trace.graph.nodes():
            self._see(node)
        tally = self._tally
        found = Complexity(
            unregistered_elements=trace.unregistered,
            follows_image=trace.follows_image,
            macs=sum(tally.macs.values()),
            activations=tally.activations,
            macs_by_operator=dict(tally.macs),
            calls_by_operator=dict(tally.calls),
            uncounted_calls=dict(tally.uncounted),
            elementwise_elements=tally.elementwise,
            matmul_macs=sum(macs for name, macs in tally.macs.items() if name in PRODUCTS),
            reference_matmul_macs=trace.reference_flops // 2,
        )
        return found, trace.values

    def _see(self, node: Node) -> None:
        kind = node.kind()
        operator = _without_in_place_mark(kind)
        name = operator.removeprefix("aten::")
        if kind in PLUMBING or name in MOVEMENT:
            return
        try:
            self._add(operator, name, list(node.inputs()), list(node.outputs()))
        except Exception:  # noqa: BLE001 (a handle may fail in any way; its operator is then named as not counted)
            self._tally.uncounted[_full_name(node)] += 1

    def _add(self, operator: str, name: str, inputs: Values, outputs: Values) -> None:
        tally = self._tally
        if name in ELEMENTWISE:
            tally.elementwise += sum(map(real_numel, outputs))
        elif name in REDUCTIONS:
            tally.elementwise += _read_elements(inputs)
        else:
            macs = self._op_handles[operator](inputs, outputs)
            label = next(iter(macs))
            tally.activations += activations(label, inputs, outputs) if label in PRODUCTS else 0
            tally.macs.update(macs)
            tally.calls[label] += 1


def _full_name(node: Any) -> str:
    """Name an operator, with the Python function or the script that a call node stands for."""
    kind = node.kind()
    if kind == "prim::PythonOp":
        return f"{kind}.{node.pyname()}"
    callee = next(node.inputs()).node() if kind == "prim::CallFunction" else None
    return f"{kind}.{callee.s('name')}" if callee else kind


def _without_in_place_mark(kind: str) -> str:
    return kind if kind.endswith("__") else kind.removesuffix("_")


def _read_elements(inputs: Values) -> int:
    return 0 if is_list(inputs[0]) else real_numel(inputs[0])
