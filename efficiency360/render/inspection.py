"""What is in a model file, in a terminal: readable at 80 columns and without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from efficiency360.render.text import plain
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType

    from efficiency360.subject.inspection.records import Inspection, OpeningRecord, SetRecord, TensorRecord

_FIRST, _LAST = 12, 4
_SHOWN_NAMES, _SHOWN_KEYS = 8, 40
_NAME_WIDTH = 11
_KINDS = {
    "safetensors": "safetensors",
    "zip_weights": "weights (torch.save)",
    "legacy_weights": "weights (torch.save, old format)",
    "pickled_module": "whole pickled model",
    "torchscript": "TorchScript archive",
    "exported_program": "torch.export archive",
    "onnx": "ONNX model",
    "huggingface_folder": "Hugging Face folder",
}


def show(found: Inspection, console: Console, *, everything: bool = False) -> None:
    """Print an inspection; long tables of tensors are cut unless `everything` is asked for."""
    console.print(Group(*_header(found)))
    for one in found.sets[: None if everything else _SHOWN_KEYS]:
        console.print(Group(*_set(one, found.kind, everything=everything)))
    if not everything and len(found.sets) > _SHOWN_KEYS:
        console.print(f"... {len(found.sets) - _SHOWN_KEYS} more sets (--all lists them)\n", style="dim", markup=False)
    console.print(_lines(_opening(found)))
    console.print(_lines(_manifest(found)) if found.manifest else Text(""), end="")
    _print_command(found, console)


def _header(found: Inspection) -> Iterator[RenderableType]:
    size = quantity(found.file_bytes, "bytes")
    yield Text.assemble((plain(found.file), "bold"))
    rows = [("kind", Text(_KINDS.get(found.kind, found.kind))), ("because", Text(plain(found.evidence)))]
    rows += [("size", Text(size)), *((plain(key), Text(plain(value))) for key, value in found.facts.items())]
    yield _lines(rows)


def _lines(rows: Sequence[tuple[str, Text]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=_NAME_WIDTH, max_width=22, style="dim", overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), value)
    return Padding(table, (0, 0, 1, 2))


def _set(one: SetRecord, kind: str, *, everything: bool) -> Iterator[RenderableType]:
    where = f"weights at {one.key!a}" if one.key else "weights"
    yield Text.assemble(
        (plain(where), "bold cyan"),
        f"  {_number(len(one.tensors), 'tensor')}, {quantity(one.parameters, 'parameters')} parameters",
    )
    yield Padding(_tensors(one.tensors, everything=everything), (0, 0, 0, 2))
    named = [] if kind == "onnx" else [("architecture", _architecture(one))]
    yield _lines([*named, ("values", _values(one))])


def _architecture(one: SetRecord) -> Text:
    classes = f", {_number(one.num_classes, 'class', 'classes')}" if one.num_classes else ""
    if not one.architectures:
        return Text(f"not one that timm, torchvision or the zoo has{classes}")
    names = one.architectures[:_SHOWN_NAMES]
    more = len(one.architectures) - len(names)
    how = " by order of the weights (the names differ)" if one.by_order else ""
    others = f" and {more} more with the same shapes" if more > 0 else ""
    return Text(f"{' or '.join(map(plain, names))}{others}{classes}{how}")


def _values(one: SetRecord) -> Text:
    broken = _broken(one.nan, one.infinite)
    unread = f"{_number(one.unread, 'tensor')} not looked at (why: above)" if one.unread else ""
    if broken:
        return Text(", ".join(filter(None, [broken, unread])), "bold red")
    if one.unread == len(one.tensors):
        return Text(unread or "none")
    return Text(f"all finite but {unread}" if unread else "all finite")


def _broken(nan: int | None, infinite: int | None) -> str:
    """`2 NaN, 1 infinite`; empty where there are none."""
    counts = ((nan, "NaN"), (infinite, "infinite"))
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def _tensors(tensors: Sequence[TensorRecord], *, everything: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tensor", overflow="fold", max_width=40)
    table.add_column("shape", overflow="fold")
    table.add_column("dtype", overflow="fold")
    table.add_column("", overflow="fold")
    cut = not everything and len(tensors) > _FIRST + _LAST
    for tensor in tensors[:_FIRST] if cut else tensors:
        table.add_row(*_tensor(tensor))
    if cut:
        table.add_row(Text(f"... {len(tensors) - _FIRST - _LAST} more (--all lists them)", "dim"))
        for tensor in tensors[-_LAST:]:
            table.add_row(*_tensor(tensor))
    return table


def _tensor(tensor: TensorRecord) -> tuple[Text, ...]:
    broken = _broken(tensor.nan, tensor.infinite)
    note = Text(broken, "bold red") if broken else Text(plain(tensor.unread), "yellow")
    shape = "x".join(map(str, tensor.shape)) or "a number"
    return Text(plain(tensor.name)), Text(shape), Text(plain(tensor.dtype)), note


def _opening(found: Inspection) -> list[tuple[str, Text]]:
    opening = found.opening
    rows = [("opening it", _summary(opening, found))]
    if opening.rebuilds:
        rows.append(("rebuilds", Text(_names(opening.rebuilds))))
    for title, names in (("runs", opening.code), ("carries", opening.parts), ("reads", opening.external)):
        if names:
            rows.append((title, Text(_names(names), "yellow")))
    if found.refused:
        rows.append(("audit", Text(f"refused as it is: {plain(found.refused)}", "yellow")))
    return rows


def _summary(opening: OpeningRecord, found: Inspection) -> Text:
    if opening.code or opening.parts or (found.refused and not opening.external):
        return Text("may run code that it carries or names", "bold yellow")
    if opening.external:
        return Text("reads other files, which its author chose", "bold yellow")
    return Text("runs none of its code", "green")


def _names(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(map(plain, names[:_SHOWN_NAMES])) + (f" and {more} more" if more > 0 else "")


def _manifest(found: Inspection) -> list[tuple[str, Text]]:
    return [(plain(key), Text(plain(value))) for key, value in found.manifest.items()]


def _print_command(found: Inspection, console: Console) -> None:
    """The command on one line, however long, so that it can be copied."""
    console.print(Text.assemble(("audit it with", "bold")))
    console.print(Text(f"  {plain(found.command)}"), soft_wrap=True)
    for advice in found.advice:
        console.print(Padding(Text(f"({plain(advice)})", "dim"), (0, 0, 0, 2)))


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
