"""`e360 list`."""

from __future__ import annotations

import typer

EXAMPLES = "Example:\n\ne360 list"


def command() -> int:
    """List the axes that can be measured, the audit files that are shipped, and the models of the zoo."""
    from dataclasses import fields  # noqa: PLC0415 - keeps --help fast
    from typing import Any, cast  # noqa: PLC0415

    from efficiency360 import zoo  # noqa: PLC0415
    from efficiency360.axes import axis_ids, axis_type  # noqa: PLC0415
    from efficiency360.spec import audit_names, load_audit  # noqa: PLC0415

    typer.echo("axes (settings)")
    for axis_id in axis_ids():
        settings = ", ".join(f"{field.name}={field.default}" for field in fields(cast("Any", axis_type(axis_id))))
        typer.echo(f"  {axis_id:<14}{f'({settings})' if settings else ''}")
    typer.echo("audits (--audit)")
    for name in audit_names():
        typer.echo(f"  {name:<14}{load_audit(name).description}")
    typer.echo("models (zoo:NAME)")
    for name in zoo.names():
        typer.echo(f"  {name}")
    return 0
