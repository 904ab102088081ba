"""One forward pass under two observers: torch's tracer above, and torch's registry of FLOP formulas below."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import (  # type: ignore[attr-defined] # its stub lacks _set_tracing_state
    Graph,
    _create_graph_by_tracing,
    _dispatch_has_kernel_for_dispatch_key,
    _dispatch_tls_is_dispatch_key_excluded,
    _dispatch_tls_set_dispatch_key_excluded,
    _get_tracing_state,
    _get_value_trace,
    _set_tracing_state,
)
from torch._ops import OpOverload
from torch.jit import ScriptModule
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from efficiency360.numerics.untraced import values


@dataclass(frozen=True)
class Trace:
    """What one forward pass did.

    `graph` holds every operator that ran, in order, those whose results nobody used included; `reference_flops` are the
    FLOPs of the matrix products among their kernels, by torch's registry. `answers` are the names of the values that
    the module returned, and `values` what its tensors held. `unregistered` counts the elements of tensors that it used
    and never registered.
    """

    graph: Graph
    reference_flops: int
    answers: frozenset[str]
    values: list[Tensor]
    unregistered: int

    @property
    def follows_image(self) -> bool:
        """Whether a way leads from the image to the answer; else something outside torch computed in between."""
        image = next(iter(self.graph.inputs())).debugName()
        reached = {image}
        for node in self.graph.nodes():
            if any(value.debugName() in reached for value in node.inputs()):
                reached.update(value.debugName() for value in (*node.outputs(), *_written(node)))
        return not self.answers or bool(reached & self.answers)


def traced(module: nn.Module, images: Tensor) -> Trace:
    """Run a module once, without gradients."""
    graphs: list[Graph] = []
    answers: list[str] = []
    returned: list[object] = []
    watch = _KernelWatch()

    def forward(*inputs: Tensor) -> Tensor:
        with watch.below_the_tracer(module):
            answer = module(inputs[0])
        returned.append(answer)
        answers.extend(_get_value_trace(leaf).debugName() for leaf in tree_leaves(answer) if isinstance(leaf, Tensor))
        # torch removes what the returned tensor does not depend on, but that ran too.
        graphs.append(_get_tracing_state().graph().copy())
        return inputs[0]

    weights = {id(tensor): tensor for tensor in _tensors(module)}
    registered = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of itself, and the model has said the rest in its other passes.
        warnings.simplefilter("ignore")
        _create_graph_by_tracing(forward, (images, *weights.values()), lambda _: "", False, False)
    inputs = list(graphs[0].inputs())[1:]
    plain = [
        tensor.numel()
        for tensor, value in zip(weights.values(), inputs, strict=True)
        if id(tensor) not in registered and value.uses()
    ]
    constants = sum(map(_constant_elements, graphs[0].nodes()))
    return Trace(graphs[0], watch.flops, frozenset(answers), values(returned), sum(plain) + constants)


def _written(node: Any) -> Iterator[Any]:
    """What an operator that works in place writes to: its first input, and what that is a view of."""
    if not node.kind().endswith("_"):
        return
    inputs = list(node.inputs())
    while inputs:
        yield inputs[0]
        inputs = list(inputs[0].node().inputs())


def _constant_elements(node: Any) -> int:
    is_tensor = node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t"
    return int(node.t("value").numel()) if is_tensor else 0


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    """Give the tensors that a module holds, those that it never registered included."""
    yield from module.parameters()
    yield from module.buffers()
    for part in module.modules():
        yield from (value for value in vars(part).values() if isinstance(value, Tensor))


def _dot_flops(left: Tensor, *_: Any, **__: Any) -> int:
    return 2 * left.numel()


def _addmv_flops(_bias: Tensor, matrix: Tensor, *_: Any, **__: Any) -> int:
    return 2 * matrix.numel()


def _addbmm_flops(_bias: Tensor, left: Tensor, right: Tensor, *_: Any, **__: Any) -> int:
    return 2 * left.numel() * right.shape[-1]


def _distance_flops(left: Tensor, *_: Any, out_val: Tensor, **__: Any) -> int:
    return 2 * left.shape[-1] * out_val.numel()


def _recurrent_layer_flops(steps: Tensor, rows: Tensor, columns: Tensor, *_: Any, **__: Any) -> int:
    return 2 * prod(steps.shape[:-1]) * (rows.numel() + columns.numel())


def _deformable_convolution_flops(_images: Tensor, weight: Tensor, *_: Any, out_val: Tensor, **__: Any) -> int:
    return 2 * out_val.numel() // weight.shape[0] * weight.numel()


_NOT_IN_THE_REGISTRY: dict[str, Callable[..., int]] = {
    "aten.dot": _dot_flops,
    "aten.vdot": _dot_flops,
    "aten.mv": _dot_flops,
    "aten.addmv": _addmv_flops,
    "aten.addbmm": _addbmm_flops,
    "aten._cdist_forward": _distance_flops,
    "aten._euclidean_dist": _distance_flops,
    "aten.mkldnn_rnn_layer": _recurrent_layer_flops,
    "torchvision.deform_conv2d": _deformable_convolution_flops,
}


_CPU_ATTENTION = "aten._scaled_dot_product_flash_attention_for_cpu"  # in the registry from torch 2.15 on


_AUTOGRAD = ("AutogradCPU", "AutogradCUDA", "AutogradMPS")


def _exclude(keys: Mapping[str, bool]) -> None:
    for key, excluded in keys.items():
        _dispatch_tls_set_dispatch_key_excluded(key, excluded)


@cache
def _is_made_of_others(operator: OpOverload) -> bool:
    name = operator.name()  # type: ignore[no-untyped-call]
    return _dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")


class _KernelWatch(TorchDispatchMode):  # type: ignore[no-untyped-call] # as is its base
    """Sums the FLOPs of the kernels that run, and lets the tracer record those that it would miss.

    The tracer switches itself off inside an operator that it records. So it is on here only below an operator that it
    leaves to its parts (a convolution), and the switch that this mode finds excluded must be set for them. It refuses
    scripted modules; it is switched off around them and on again for each of their operators. These are seen whole, as
    those of other modules are, because autograd, which takes them apart, is left out there.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Spare each kernel, and a process that compiles nothing the import of the compiler."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        registry = {str(operator): formula for operator, formula in flop_registry.items()}
        attention = registry["aten._scaled_dot_product_flash_attention"]
        self._formulas = {_CPU_ATTENTION: attention} | registry | _NOT_IN_THE_REGISTRY
        self._state: Any = None
        self._scripts_entered = 0
        self._autograd: list[bool] = []

    @contextmanager
    def below_the_tracer(self, module: nn.Module) -> Iterator[None]:
        """Watch a traced pass of the module."""
        self._state = _get_tracing_state()
        with ExitStack() as stack:
            for script in (part for part in module.modules() if isinstance(part, ScriptModule)):
                # A ScriptModule forbids its own methods for this, but calls the hooks that those of nn.Module set.
                stack.callback(nn.Module.register_forward_pre_hook(script, self._enter_script).remove)
                stack.callback(nn.Module.register_forward_hook(script, self._leave_script).remove)
            stack.callback(self._leave_scripts)
            stack.enter_context(torch.jit.optimized_execution(False))  # type: ignore[attr-defined] # fuses nothing
            stack.enter_context(self)
            yield

    def _enter_script(self, *_: Any) -> None:
        if not self._scripts_entered:
            self._autograd = [_dispatch_tls_is_dispatch_key_excluded(key) for key in _AUTOGRAD]
            _exclude(dict.fromkeys(_AUTOGRAD, True))
        self._scripts_entered += 1
        _set_tracing_state(None)

    def _leave_script(self, *_: Any) -> None:
        self._scripts_entered -= 1
        if not self._scripts_entered:
            self._leave_scripts()
        _set_tracing_state(self._state)

    def _leave_scripts(self) -> None:
        """Let autograd see operators again, also after a script that raised."""
        _exclude(dict(zip(_AUTOGRAD, self._autograd, strict=False)))
        self._autograd = []

    def __torch_dispatch__(
        self, func: OpOverload, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one kernel and count it; an operator without a formula is taken apart where it can be."""
        options = kwargs or {}
        # The registry has no in-place variants.
        formula = self._formulas.get(str(func.overloadpacket).removesuffix("_"))
        if formula is None and _is_made_of_others(func):
            if self._scripts_entered:
                return self._whole(func, args, options)
            with self:
                parts = func.decompose(*args, **options)
            if parts is not NotImplemented:
                return parts
        with self._recorded() as tracer_is_on:
            _set_tracing_state(self._state if tracer_is_on else None)
            result = func(*args, **options)
            _set_tracing_state(None)
            self.flops += int(formula(*args, **options, out_val=result)) if formula else 0
        return result

    def _whole(self, func: OpOverload, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Run an operator of a script so that the tracer records it as one, and its kernels are counted too."""
        entered, self._scripts_entered = self._scripts_entered, 0
        try:
            with self._recorded():
                _set_tracing_state(self._state)
                with self:
                    return func(*args, **options)
        finally:
            self._scripts_entered = entered

    @contextmanager
    def _recorded(self) -> Iterator[bool]:
        """Make the tracer available to a kernel that no recorded operator stands above."""
        found = _get_tracing_state()
        excluded = _dispatch_tls_is_dispatch_key_excluded("Tracer")
        _dispatch_tls_set_dispatch_key_excluded("Tracer", False)
        try:
            yield found is not None or self._scripts_entered > 0
        finally:
            _set_tracing_state(found)
            _dispatch_tls_set_dispatch_key_excluded("Tracer", excluded)
