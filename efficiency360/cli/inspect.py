"""`e360 inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = (
    "Examples:\n\n"
    "e360 inspect weights.pt\n\n"
    "e360 inspect model.onnx --all\n\n"
    "e360 inspect checkpoint.pth --json | jq -r .command"
)


def command(
    subject: Annotated[str, typer.Argument(metavar="FILE", help="A model file, or a folder with config.json.")],
    all_: Annotated[bool, typer.Option("--all", help="List all tensors, however many.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="The same as JSON, for pipelines.")] = False,
) -> int:
    """Say what is in a model file, what opening it would run, and how to audit it; nothing in it is executed."""
    import json  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.console import Screen  # noqa: PLC0415
    from efficiency360.errors import ExitCode  # noqa: PLC0415
    from efficiency360.render.inspection import show  # noqa: PLC0415
    from efficiency360.subject.inspection.inspect import inspect  # noqa: PLC0415

    found = inspect(subject)
    if json_:
        typer.echo(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        show(found, Screen(), everything=all_)
    return ExitCode.PASS
