"""Archives of `torch.export`: programs with their weights, often for one batch size. Runs in the worker only."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.subject.files.archive import check_checksums
from efficiency360.subject.files.regular import blaming
from efficiency360.subject.files.sniff import shown
from efficiency360.subject.formats.adapters import Arguments
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.subject.formats.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from efficiency360.subject.request import SubjectRequest

_IMAGE_DIMS = 4
_MANY = 1 << 12
_MOST_CLASSES = 16
_UNKNOWN_CLASS = re.compile(r"Deserializing (\S+) in pytree is not registered")
_SEE_LOG = "check the warnings above"
_TRAINING_FLAGS = {"dropout": 2, "feature_dropout": 2, "alpha_dropout": 2, "native_dropout": 2, "batch_norm": 5}
_IN_TRAINING = "_native_batch_norm_legit_functional"
_SET_TO_EVALUATION = Caveat(
    id="subject.training_mode",
    severity="warning",
    text="The program was exported in training mode; its dropout and batch norm layers were set to evaluation.",
)


def exported(request: SubjectRequest) -> Loaded:
    """A `torch.export` archive as a module in evaluation mode.

    Raises:
        InputError: damaged, made by a torch that this one does not understand, or it takes something else than images.
    """
    path = Path(request.file or "")
    if request.key is not None or request.remap is not None:
        raise InputError(f"{request.name} is a whole program; --key and --remap go with weights and checkpoints")
    with warnings.catch_warnings(), answering(f"{shown(path)} cannot be opened as an exported program"):
        warnings.simplefilter("ignore")
        with blaming(path):
            check_checksums(path, packed=True)
        program = _load(path)
        place, sizes = _input_sizes(program, path)
        module: nn.Module = program.module()
        # An exported module refuses to change its mode; it has none, and a module around it asks.
        for method in ("train", "eval"):
            vars(module).pop(method, None)
        caveats = (_SET_TO_EVALUATION,) if _to_evaluation(module) else ()
        module = _taking_images(module, program, place)
    return Loaded(module, known_input(sizes[1:]), caveats=caveats, batch=_batch(program, sizes[0]))


def known_input(sizes: Sequence[object]) -> dict[str, Any]:
    """The keys of `Preprocess` that (C, H, W) of a program's input tells; what is not a number is free."""
    channels, *size = sizes
    known: dict[str, Any] = {"channels": channels} if channels in (1, 3) else {}
    return known | ({"size": tuple(size)} if all(type(length) is int for length in size) else {})


def _load(path: Path) -> ExportedProgram:
    """The program; classes of its inputs or outputs that are not known here become dicts."""
    content = io.BytesIO(path.read_bytes())
    for _ in range(_MOST_CLASSES):
        content.seek(0)
        with _log() as records:
            try:
                return torch.export.load(content)
            except Exception as error:  # noqa: BLE001 - it goes on, or comes again in the next round
                logged = [record.exc_info[1] for record in records if record.exc_info and record.exc_info[1]]
                unknown = next(filter(None, (_UNKNOWN_CLASS.search(str(one)) for one in [*logged, error])), None)
                if unknown is None:
                    # torch raises an error that says to look at the log, where the first attempt failed.
                    raise logged[0] if logged and _SEE_LOG in str(error) else error  # noqa: B904
        _register(unknown.group(1).rstrip("."))
    raise InputError(f"{shown(path)}: its output is made of more than {_MOST_CLASSES} classes that are not known here")


@contextmanager
def _log() -> Iterator[list[logging.LogRecord]]:
    """What torch.export would have logged."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment,method-assign]
    logger = logging.getLogger("torch.export")
    propagates, handlers = logger.propagate, logger.handlers[:]
    logger.propagate, logger.handlers[:] = False, [handler]
    try:
        yield records
    finally:
        logger.propagate, logger.handlers[:] = propagates, handlers


def _register(name: str) -> None:
    """Have parts of class `name` handed over as a dict."""
    pytree.register_pytree_node(
        type("StandIn", (), {}),  # one for each name, of which there is never an instance
        lambda _: ([], []),
        _named,
        serialized_type_name=name,
        to_dumpable_context=lambda context: context,
        from_dumpable_context=json.loads,
    )


def _named(values: Iterable[Any], context: Any) -> dict[str, Any] | tuple[Any, ...]:
    """The parts under the names of their fields, where the context tells them; of a dataclass it is a list of lists."""
    parts = tuple(values)
    names = context[0] if isinstance(context, list) and context and isinstance(context[0], list) else context
    known = isinstance(names, list) and len(names) == len(parts) and all(isinstance(name, str) for name in names)
    return dict(zip(names, parts, strict=True)) if known else parts


def _input_sizes(program: ExportedProgram, path: Path) -> tuple[int, list[Any]]:
    """The place of the one tensor among the inputs, and its sizes (N, C, H, W), each a number or a symbol."""
    inputs = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    # An argument that is no tensor stands there with the value that it has in the program.
    named = [(place, name) for place, name in enumerate(program.graph_signature.user_inputs) if _is_input(name, inputs)]
    values = [inputs[name] for _, name in named]
    if len(values) != 1 or not isinstance(values[0], torch.Tensor) or values[0].ndim != _IMAGE_DIMS:
        described = ", ".join(_described(value) for value in values)
        raise InputError(
            f"{shown(path)} takes {len(values)} inputs ({described}); e360 gives a program one batch of images"
            " (N, C, H, W): export one that takes that"
        )
    if not values[0].is_floating_point():
        raise InputError(f"{shown(path)} takes {_described(values[0])}; export a program that takes floats in [0, 1]")
    return named[0][0], list(values[0].shape)


def _is_input(name: object, inputs: Mapping[str, Any]) -> bool:
    return isinstance(name, str) and inputs.get(name) is not None


def _taking_images(module: nn.Module, program: ExportedProgram, place: int) -> nn.Module:
    """The module itself where images are its only argument; else around it one that gives it the others."""
    leaves, spec = program.graph_signature.user_inputs, program.call_spec.in_spec
    images_alone = pytree.tree_flatten(((torch.empty(0),), {}))[1]
    if spec is None or spec == images_alone:
        return module
    inputs = {node.name for node in program.graph.nodes if node.op == "placeholder"}
    values = [None if isinstance(leaf, str) and leaf in inputs else leaf for leaf in leaves]
    return Arguments(module, values, place, spec)


def _described(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor {tuple(map(str, value.shape))} of {str(value.dtype).removeprefix('torch.')}".replace("'", "")
    return type(value).__name__


def _batch(program: ExportedProgram, size: Any) -> tuple[int, int] | None:
    """The least and the most images at once; None where one and many are allowed."""
    if isinstance(size, int):
        return size, size
    allowed = program.range_constraints.get(size.node.expr)
    if allowed is None:  # a size that follows from another, such as a multiple
        examples = pytree.tree_leaves(program.example_inputs)
        n = next((len(one) for one in examples if isinstance(one, torch.Tensor) and one.ndim == _IMAGE_DIMS), 1)
        return n, n
    least, most = max(1, int(allowed.lower)), int(min(allowed.upper, _MANY))
    return None if (least, most) == (1, _MANY) else (least, most)


def _to_evaluation(module: nn.Module) -> bool:
    """Switch off what a program does in training only; whether there was anything."""
    graph_module: GraphModule = module  # type: ignore[assignment]
    changed = [node for node in graph_module.graph.nodes if _switched_off(node)]
    if changed:
        graph_module.recompile()
    return bool(changed)


def _switched_off(node: Node) -> bool:
    name = getattr(getattr(node.target, "overloadpacket", None), "__name__", "")
    if name.startswith(_IN_TRAINING) and node.args[5] is True:
        node.update_arg(5, False)
        return True
    place = _TRAINING_FLAGS.get(name)
    if place is None or len(node.args) <= place or node.args[place] is not True:
        return False
    node.update_arg(place, False)
    return True
