"""What an ONNX model holds, read without its weights and without the onnx library.

Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError
from efficiency360.subject.files.protobuf import BYTES, VARINT, DamagedError, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from efficiency360.subject.files.protobuf import Field

_MAX_IR_VERSION = 255
_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_GRAPH, _METADATA, _TRAINING, _FUNCTION, _OPSET, _PRODUCER = 7, 14, 20, 25, 8, 2
_EXTERNAL = 1
_MAX_DEPTH = 64
_MAX_DIMS = 64
_MAX_LISTED = 100_000
_STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_RAW_DATA = 9
_DATA = frozenset({4, 5, 6, 7, _RAW_DATA, 10, 11})
_FLAT_DATA = {(1, 4), (11, 10)}  # (dtype, field) where a typed field has the same bytes as raw data


@dataclass(frozen=True, slots=True)
class Initializer:
    """A tensor: `dtype` is ONNX's number; its bytes lie from `start` to `end` of the file, or `unread` says why not."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    start: int | None
    end: int | None
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output; a dimension is a number or the name of one that varies."""

    name: str
    shape: tuple[int | str, ...]


@dataclass(slots=True)
class OnnxModel:
    """What was found; `initializers` are those of the main graph, `external` all file names that any tensor wants.

    `domains` are sets of operators other than ONNX's own that the nodes use.
    """

    opsets: dict[str, int] = field(default_factory=dict)
    producer: str = ""
    initializers: list[Initializer] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    external: dict[str, None] = field(default_factory=dict)
    domains: dict[str, None] = field(default_factory=dict)
    nodes: int = 0
    functions: set[str] = field(default_factory=set)


def read_onnx(file: BinaryIO, size: int) -> OnnxModel | None:
    """Walk a ModelProto with all its graphs, functions and attributes; None where the file does not begin as one.

    Raises:
        InputError: it begins as one and is damaged or cut short.
    """
    if not _begins_as_onnx(file, size):
        return None
    walk = _Walk(Reader(file, size))
    try:
        walk.model(size)
    except DamagedError as error:
        raise InputError("an ONNX model that is damaged or cut short; download or export it again") from error
    found = walk.found
    found.domains = {name: None for name in found.domains if name not in found.functions}
    return found


def _begins_as_onnx(file: BinaryIO, size: int) -> bool:
    """Field 1, `ir_version`, comes first, and a graph later, whose first field is a graph's."""
    reader = Reader(file, size)
    try:
        for count, found in enumerate(reader.fields(0, 2**63)):
            if count == 0 and (found.number, found.wire) != (1, VARINT):
                return False
            if count == 0 and not 1 <= found.value <= _MAX_IR_VERSION:
                return False
            if _MODEL_FIELDS.get(found.number) != found.wire:
                return False
            if found.number == _GRAPH:
                return found.start < size and _is_graph_key(reader, found)
    except DamagedError:
        return False
    return False


def _is_graph_key(reader: Reader, graph: Field) -> bool:
    first = next(iter(reader.fields(graph.start, graph.end)), None) if graph.end <= reader.size else None
    if first is None:
        return graph.end > graph.start
    return first.wire == BYTES and first.number in (1, 2, 5, 10, 11, 12, 13, 14, 15)


@dataclass(slots=True)
class _Tensor:
    """A TensorProto as far as it is read."""

    name: str = ""
    dtype: int = 0
    shape: list[int] = field(default_factory=list)
    data: list[Field] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    outside: bool = False

    def described(self) -> Initializer:
        if not self.data and not self.outside and 0 in self.shape:
            return Initializer(self.name, self.dtype, tuple(self.shape), 0, 0)
        one = self.data[0] if len(self.data) == 1 and self.data[0].wire == BYTES else None
        flat = one is not None and (one.number == _RAW_DATA or (self.dtype, one.number) in _FLAT_DATA)
        if self.outside or one is None or not flat:
            unread = "it lies in another file" if self.outside else "it is not stored as one block"
            return Initializer(self.name, self.dtype, tuple(self.shape), None, None, unread)
        return Initializer(self.name, self.dtype, tuple(self.shape), one.start, one.end)


@dataclass(slots=True)
class _Walk:
    reader: Reader
    found: OnnxModel = field(default_factory=OnnxModel)

    def model(self, size: int) -> None:
        for part in self.reader.fields(0, size):
            if part.number == _GRAPH and part.wire == BYTES:
                self.graph(part, 0, main=True)
            elif part.number == _FUNCTION and part.wire == BYTES:
                self.function(part)
            elif part.number == _TRAINING and part.wire == BYTES:
                self._each(part, {1: self.graph, 2: self.graph}, 0)
            elif part.number == _OPSET and part.wire == BYTES:
                self._opset(part)
            elif part.number == _PRODUCER and part.wire == BYTES:
                self.found.producer = self.reader.text(part)

    def graph(self, graph: Field, depth: int, *, main: bool = False) -> None:
        ports = {11: self.found.inputs, 12: self.found.outputs}
        for part in self._parts(graph, depth):
            if part.number == 1:
                self.node(part, depth + 1)
            elif part.number == 5:  # noqa: PLR2004 - initializer
                self.tensor(part, depth + 1, listed=main)
            elif part.number == 15:  # noqa: PLR2004 - sparse_initializer
                self.sparse(part, depth + 1)
            elif main and part.number in ports and len(ports[part.number]) < _MAX_LISTED:
                ports[part.number].append(self._port(part))

    def function(self, function: Field) -> None:
        domain = ""
        for part in self._parts(function, 0):
            if part.number == 7:  # noqa: PLR2004 - node
                self.node(part, 1)
            elif part.number == 11:  # noqa: PLR2004 - attribute with a default
                self.attribute(part, 1)
            elif part.number == 10:  # noqa: PLR2004 - domain
                domain = self.reader.text(part)
        self.found.functions.add(domain)

    def node(self, node: Field, depth: int) -> None:
        self.found.nodes += 1
        for part in self._parts(node, depth):
            if part.number == 5:  # noqa: PLR2004 - attribute
                self.attribute(part, depth + 1)
            elif part.number == 7 and (domain := self.reader.text(part)) not in _STANDARD_DOMAINS:  # noqa: PLR2004
                self.found.domains[domain] = None

    def attribute(self, attribute: Field, depth: int) -> None:
        holders: dict[int, Callable[[Field, int], None]] = {
            **dict.fromkeys((5, 10), self.tensor),
            **dict.fromkeys((6, 11), self.graph),
            **dict.fromkeys((22, 23), self.sparse),
        }
        self._each(attribute, holders, depth)

    def sparse(self, sparse: Field, depth: int) -> None:
        self._each(sparse, {1: self.tensor, 2: self.tensor}, depth)

    def tensor(self, tensor: Field, depth: int, *, listed: bool = False) -> None:
        """Note a tensor's description, and the file that it wants read where its values lie outside."""
        del depth  # nothing lies deeper
        found = _Tensor()
        for part in self.reader.fields(tensor.start, tensor.end):
            self._tensor_part(found, part)
        if found.places or found.outside:
            self.found.external.update(dict.fromkeys(found.places or ["(a file that it does not name)"]))
        if listed and len(self.found.initializers) < _MAX_LISTED:
            self.found.initializers.append(found.described())

    def _tensor_part(self, found: _Tensor, part: Field) -> None:
        if part.number == 1 and len(found.shape) <= _MAX_DIMS:
            found.shape += self.reader.numbers(part, _MAX_DIMS + 1)
        elif part.number == 2 and part.wire == VARINT:  # noqa: PLR2004 - data_type
            found.dtype = part.value
        elif part.number == 8 and part.wire == BYTES:  # noqa: PLR2004 - name
            found.name = self.reader.text(part)
        elif part.number in _DATA:
            found.data.append(part)
        elif part.number == 13 and part.wire == BYTES:  # noqa: PLR2004 - external_data
            key, value = self._pair(part)
            found.outside = True
            found.places += [value] if key == "location" else []
        elif part.number == 14 and part.wire == VARINT:  # noqa: PLR2004 - data_location
            found.outside = found.outside or part.value == _EXTERNAL

    def _parts(self, message: Field, depth: int) -> Iterator[Field]:
        """A message's own parts that are messages or text."""
        if depth > _MAX_DEPTH:
            raise InputError("an ONNX model with graphs nested deeper than any model's; export it again")
        return (part for part in self.reader.fields(message.start, message.end) if part.wire == BYTES)

    def _each(self, message: Field, readers: Mapping[int, Callable[[Field, int], None]], depth: int) -> None:
        for part in self._parts(message, depth):
            if part.number in readers:
                readers[part.number](part, depth + 1)

    def _texts(self, message: Field) -> dict[int, str]:
        return {part.number: self.reader.text(part) for part in self._parts(message, 0)}

    def _pair(self, entry: Field) -> tuple[str, str]:
        texts = self._texts(entry)
        return texts.get(1, ""), texts.get(2, "")

    def _opset(self, opset: Field) -> None:
        versions = [part.value for part in self.reader.fields(opset.start, opset.end) if part.number == 2]  # noqa: PLR2004
        self.found.opsets[self._texts(opset).get(1, "")] = versions[-1] if versions else 0

    def _port(self, info: Field) -> Port:
        """ValueInfoProto -> its name, and its type's tensor_type.shape.dim."""
        name, shape = self._texts(info).get(1, ""), []
        for kind in self._numbered(info, 2):
            for tensor in self._numbered(kind, 1):
                for sizes in self._numbered(tensor, 2):
                    shape += [self._dimension(dim) for dim in self._numbered(sizes, 1)]
        return Port(name, tuple(shape[:_MAX_DIMS]))

    def _numbered(self, message: Field, number: int) -> Iterator[Field]:
        return (part for part in self._parts(message, 0) if part.number == number)

    def _dimension(self, dim: Field) -> int | str:
        for part in self.reader.fields(dim.start, dim.end):
            if part.number == 1 and part.wire == VARINT:
                return part.value
            if part.number == 2 and part.wire == BYTES:  # noqa: PLR2004 - dim_param
                return self.reader.text(part)
        return "?"
