"""`e360 init --poc`: the audit file of a pilot, and the plan that is made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from efficiency360.starter import Subject


def write_pilot(folder: Path, subject: Subject, *, force: bool) -> int:
    """Write what is not there yet, or with `force` all of it; the plan tells the audit file that is there then.

    Raises:
        InputError: all of it is there already, or the audit file that is there has a mistake.
    """
    from efficiency360 import starter  # noqa: PLC0415 - keeps --help fast
    from efficiency360.cli.init import write  # noqa: PLC0415
    from efficiency360.errors import InputError  # noqa: PLC0415

    names = (starter.PILOT, *starter.PLANS.values())
    there = [name for name in names if (folder / name).exists()] if not force else []
    if len(there) == len(names):
        raise InputError(
            f"nothing written, for {', '.join(there)} are there already; delete the plans to make them anew from"
            f" {starter.PILOT}, or --force writes all anew"
        )
    found = _files(folder, subject, kept=starter.PILOT in there)
    write(folder, {name: text for name, text in found.items() if name not in there})
    for name in there:
        typer.echo(f"kept    {name}, which was there already", err=True)
    typer.echo(f"next: set limits and prices in {starter.PILOT}, delete the plans, and run this again; then in week 2")
    typer.echo(f"  {subject.audited_by(starter.PILOT)}")
    return 0


def _files(folder: Path, subject: Subject, *, kept: bool) -> dict[str, str]:
    import tomllib  # noqa: PLC0415 - keeps --help fast

    from efficiency360 import starter  # noqa: PLC0415
    from efficiency360.render import plan  # noqa: PLC0415
    from efficiency360.spec import load_audit, parse_audit  # noqa: PLC0415

    text = starter.pilot()
    spec = load_audit(str(folder / starter.PILOT)) if kept else parse_audit(tomllib.loads(text), starter.PILOT)
    command = subject.audited_by(starter.PILOT)
    plans = {
        name: plan.render(spec, audit=starter.PILOT, command=command, language=language)
        for language, name in starter.PLANS.items()
    }
    return {starter.PILOT: text, **plans}
