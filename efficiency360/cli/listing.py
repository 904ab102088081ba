"""`e360 list`."""

from __future__ import annotations

import textwrap

import typer

EXAMPLES = "Example:\n\ne360 list"
_NAMES, _WIDTH = 20, 78
_MODELS = {
    "weights": "saved by torch.save (new or old format) or safetensors, with --arch",
    "folder": "config.json and safetensors, as timm and transformers save them",
    "ONNX": "as one file; converted to torch where both answer the same, else run by ONNX Runtime",
    "TorchScript": "with --trust-code, for opening it can run code of its own",
    "torch.export": "with --trust-code",
    "pickled model": "with --trust-code",
    "architecture": "timm:NAME, torchvision:NAME, path/to/file.py:factory, or one of e360's own:",
}
_PAGES = {
    "github": "annotations on standard output, and the summary of a job",
    "terminal": "standard output of e360 audit, gate and compare",
    "comparison.html": "models side by side (e360 compare)",
    "index.html": "one page over many reports (e360 gallery)",
}


def command() -> int:
    """List what there is: axes with their settings, audit files, models, output formats."""
    from dataclasses import fields  # noqa: PLC0415 - keeps --help fast
    from typing import Any, cast  # noqa: PLC0415

    from efficiency360 import zoo  # noqa: PLC0415
    from efficiency360.axes import axis_ids, axis_type  # noqa: PLC0415
    from efficiency360.render.formats import FORMATS, Format, plugins  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415
    from efficiency360.spec import audit_names, load_audit  # noqa: PLC0415

    typer.echo("axes (--axes; settings with their defaults, --set AXIS.KEY=VALUE)")
    for axis_id in axis_ids():
        cls = cast("Any", axis_type(axis_id))
        _entry(axis_id, (cls.__doc__ or "").strip().splitlines()[0])
        for field in fields(cls):
            _entry("", f"{axis_id}.{field.name} = {_as_toml(field.default)}")
    typer.echo("audits (--audit NAME, or a path)")
    for name in audit_names():
        _entry(name, load_audit(name).description)
    typer.echo("models (SUBJECT; e360 inspect FILE tells what a file is)")
    for name, what in _MODELS.items():
        _entry(name, what)
    for name in zoo.names():
        _entry("", f"zoo:{name}")
    typer.echo("formats (--format NAME of e360 audit, gate and report)")
    for name, kind in FORMATS.items():
        _entry(name, f"{kind.file}: {kind.description}")
    for name, found in plugins().items():
        told = f"{found.file}: {found.description} (plug-in)" if isinstance(found, Format) else f"not usable: {found}"
        _entry(plain(name), plain(told))
    for name, what in _PAGES.items():
        _entry(name, what)
    return 0


def _entry(name: str, text: str) -> None:
    """A name and what it is, wrapped beside it."""
    lines = textwrap.wrap(text, _WIDTH - _NAMES) or [""]
    for head, line in zip([name, *[""] * len(lines)], lines, strict=False):
        typer.echo(f"  {head:<{_NAMES - 2}}{line}".rstrip())


def _as_toml(value: object) -> str:
    """A default as it would be written in an audit file."""
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
