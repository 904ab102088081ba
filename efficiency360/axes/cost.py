"""Cost: what one image takes, counted rather than timed: parameters, MACs, activations, bytes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Findings, Measurement, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.numerics.complexity import Complexity
    from efficiency360.records import Better
    from efficiency360.subject.subject import Subject

_AGREEMENT = 0.001
_ELEMENTWISE = 0.1
_FEW, _SOME = 256, 0.1
_MORE = 1.5
_TRUE, _FALSE, _NONE = np.array([True]), np.array([False]), np.array([0])


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Cost(Axis):
    """Parameters, MACs, FLOPs, activations and bytes for one image at the subject's input size.

    `cost.macs` follows fvcore: one multiply-add of a convolution, matrix product or attention is 1; normalisation,
    pooling and interpolation count as fvcore counts them; element-wise arithmetic counts nothing. `cost.flops` is
    2 x MACs. `cost.op_coverage` is the share of arithmetic calls that were counted: 1 is all; below it the MACs are an
    underestimate. `cost.weights_bytes` is parameters and buffers as they lie in memory.
    What would make these numbers wrong: compute hidden from the tracer (custom kernels, scripted code, numpy), which
    lowers the coverage where the tracer sees the call; control flow that depends on the image, counted for one image.
    """

    id: ClassVar[str] = "cost"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset()

    def workload(self, images: int) -> Workload:  # noqa: ARG002
        """A traced pass of one image and of two, as much again without the tracer, and the tracer's own imports."""
        return Workload(images=9, seconds=3)

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:  # noqa: ARG002
        """Yield the counts, each as an array of one, and the operators as names with calls and MACs.

        Of a model that torch cannot look into `black_box` (1,), text that says why, stands in place of its compute.
        """
        yield {
            "params": _one(subject.weights.params),
            "weights_bytes": _one(subject.weights.weights_bytes),
            "buffers": _one(0 if subject.stored else _floating(subject.module)),
            "file_bytes": np.array([subject.file_bytes] if subject.file_bytes else [], dtype=np.int64),
        }
        yield {"black_box": np.array([subject.black_box])} if subject.black_box else self._compute(subject, run)

    def _compute(self, subject: Subject, run: Run) -> Evidence:
        import torch  # noqa: PLC0415 - only the worker has torch

        generator = torch.Generator().manual_seed(run.seed)
        image = torch.rand((1, *subject.input_shape), generator=generator).to(subject.device)
        complexity, pair = _counted(subject.module, subject.normalised(image))
        operators = sorted(complexity.macs_by_operator)
        uncounted = sorted(complexity.uncounted_calls)
        return {
            "macs": _one(complexity.macs),
            "activations": _one(complexity.activations),
            "elementwise": _one(complexity.elementwise_elements),
            "matmul_macs": np.array([complexity.matmul_macs, complexity.reference_matmul_macs], dtype=np.int64),
            "operator": np.array(operators, dtype=np.str_),
            "operator_macs": _many([complexity.macs_by_operator[op] for op in operators]),
            "operator_calls": _many([complexity.calls_by_operator.get(op, 0) for op in operators]),
            "uncounted": np.array(uncounted, dtype=np.str_),
            "uncounted_calls": _many([complexity.uncounted_calls[op] for op in uncounted]),
            "coverage": np.array([complexity.coverage]),
            "unregistered": _one(0 if subject.stored else complexity.unregistered_elements),
            "follows_image": np.array([complexity.follows_image]),
            "traced_differently": np.array([complexity.traced_differently]),
            "pair_macs": np.array(pair, dtype=np.int64),
            "halved": np.array([not pair]),
        }

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002
        """Name the counts and say where they cannot be trusted; compute that was not seen is left out, not 0."""
        counted = [
            ("cost.params", int(evidence["params"][0]), "parameters", "lower"),
            *_compute(evidence),
            ("cost.weights_bytes", int(evidence["weights_bytes"][0]), "bytes", "lower"),
            *(("cost.file_bytes", int(size), "bytes", "lower") for size in evidence["file_bytes"]),
            ("cost.op_coverage", 0.0 if _hidden(evidence) else float(evidence["coverage"][0]), "proportion", "higher"),
        ]
        return Findings(
            measurements=tuple(
                Measurement(name=name, value=value, unit=unit, better=better) for name, value, unit, better in counted
            ),
            series=(_operators(evidence),) if "operator" in evidence else (),
            caveats=tuple(_caveats(evidence)),
        )


def _counted(module: nn.Module, image: Tensor) -> tuple[Complexity, list[int]]:
    """The compute of one image, and that of two at once where they can be had.

    A model that refuses a single image is counted on two and halved; then there is nothing beside it.
    """
    from efficiency360.numerics.complexity import count  # noqa: PLC0415 - only the worker has torch

    two = image.repeat(2, 1, 1, 1)
    try:
        alone = count(module, image)
    except AxisError as error:
        with contextlib.suppress(AxisError):
            return count(module, two).shared(2), []
        raise error from None
    try:
        return alone, [count(module, two).macs]
    except AxisError:
        return alone, [2 * alone.macs]


def _floating(module: nn.Module) -> int:
    return sum(buffer.numel() for buffer in module.buffers() if buffer.is_floating_point())


def _compute(evidence: Evidence) -> Iterator[tuple[str, float, str, Better]]:
    """What an image takes, as far as it was seen."""
    if _hidden(evidence):
        return
    macs = int(evidence["macs"][0])
    yield "cost.macs", macs, "MACs", "lower"
    yield "cost.flops", 2 * macs, "FLOPs", "lower"
    yield "cost.activations", int(evidence["activations"][0]), "elements", "lower"


def _one(value: int) -> np.ndarray:
    return np.array([value], dtype=np.int64)


def _many(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def _operators(evidence: Evidence) -> Series:
    order = np.argsort(evidence["operator_macs"], kind="stable")[::-1]
    columns = {key: evidence[key][order].tolist() for key in ("operator", "operator_calls", "operator_macs")}
    return Series(
        name="cost.by_operator",
        title="MACs by operator",
        columns={"operator": columns["operator"], "calls": columns["operator_calls"], "macs": columns["operator_macs"]},
    )


def _hidden(evidence: Evidence) -> bool:
    """Whether torch saw nothing, lost the image, or saw too little arithmetic for the weights to have been used."""
    return "macs" not in evidence or bool(
        (evidence["macs"][0] == 0 and evidence["params"][0] > evidence["elementwise"][0])
        or not evidence.get("follows_image", _TRUE)[0]
    )


def _caveats(evidence: Evidence) -> Iterator[Caveat]:
    yield Caveat(
        id="cost.convention",
        severity="info",
        text="One multiply-add is one MAC and two FLOPs; normalisation and pooling count as fvcore counts them,"
        " element-wise arithmetic counts nothing; one image.",
    )
    for why in evidence.get("black_box", ()):
        text = f"{why}: MACs, FLOPs and activations are not known."
        yield Caveat(id="cost.black_box", severity="warning", text=text)
    if "macs" not in evidence:
        return
    macs = int(evidence["macs"][0])
    if _hidden(evidence):
        text = (
            "Its answer could not be followed from the image: it computes outside torch, or in threads of its own. Its"
            " MACs are not known."
        )
        yield Caveat(id="cost.nothing_counted", severity="critical", text=text)
    yield from _two_faced(evidence)
    if evidence.get("halved", _FALSE)[0]:
        text = "It refuses a single image: what one image takes is half of what two take."
        yield Caveat(id="cost.halved", severity="info", text=text)
    yield from _weights_elsewhere(evidence)
    if len(evidence["uncounted"]):
        named = ", ".join(
            f"{op} (x{n})" for op, n in zip(evidence["uncounted"], evidence["uncounted_calls"], strict=True)
        )
        text = f"Not counted: {named}. MACs and FLOPs are an underestimate."
        yield Caveat(id="cost.uncounted_ops", severity="warning" if macs else "critical", text=text)
    ours, reference = map(int, evidence["matmul_macs"])
    if abs(ours - reference) > _AGREEMENT * max(ours, reference):
        text = (
            f"Convolutions, matrix products, attention: {ours:.4g} MACs here, {reference:.4g} by torch's own counter;"
            " they should agree within 0.1 %."
        )
        yield Caveat(id="cost.counters_disagree", severity="warning", text=text)
    elementwise = int(evidence["elementwise"][0])
    if elementwise > _ELEMENTWISE * macs:
        text = f"Element-wise arithmetic on {elementwise:.4g} elements is not in the MACs, and is much for this model."
        yield Caveat(id="cost.elementwise", severity="info", text=text)


def _two_faced(evidence: Evidence) -> Iterator[Caveat]:
    """Say where what was counted is not what it computes for others."""
    macs, pair = int(evidence["macs"][0]), evidence.get("pair_macs", _NONE)
    if evidence.get("traced_differently", _FALSE)[0]:
        text = "It answers otherwise when nothing follows it: what was counted is not what it computes."
        yield Caveat(id="cost.traced_differently", severity="critical", text=text)
    elif any(two > _MORE * 2 * macs for two in pair.tolist()):
        text = (
            f"Alone an image takes {macs:.4g} MACs, in a batch of two {int(pair[0]) / 2:.4g}: it computes less when it"
            " is counted than it does for others."
        )
        yield Caveat(id="cost.traced_differently", severity="critical", text=text)


def _weights_elsewhere(evidence: Evidence) -> Iterator[Caveat]:
    """Say where it computes with more than its parameters."""
    params = int(evidence["params"][0])
    unregistered = int(evidence.get("unregistered", [0])[0])
    if unregistered > max(_FEW, _SOME * params):
        text = f"{unregistered:,} values that it computes with are neither parameters nor buffers, and not counted."
        yield Caveat(id="cost.hidden_weights", severity="critical", text=text)
    buffers = int(evidence.get("buffers", _NONE)[0])
    if buffers > max(_FEW, params):
        text = (
            f"{buffers:,} floating-point values are buffers, more than its {params:,} parameters: weights may be among"
            " them, and are not counted as parameters."
        )
        yield Caveat(id="cost.weights_in_buffers", severity="critical", text=text)
