"""`e360 doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from efficiency360.engine.doctor.lines import Diagnosis, Line, Section

EXAMPLES = "Example:\n\ne360 doctor"
_STYLES = {"ok": "green", "note": "cyan", "missing": "bold yellow"}
_MARK_WIDTH, _NAME_WIDTH = 7, 14


def command() -> int:
    """Say what this machine can measure, and what follows from what is missing: packages, devices, sensors."""
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.console import Screen  # noqa: PLC0415
    from efficiency360.engine.doctor.diagnose import diagnose  # noqa: PLC0415
    from efficiency360.errors import ExitCode, UndecidedError  # noqa: PLC0415

    with Console(stderr=True).status("Importing every package and trying every device: some seconds ..."):
        diagnosis = diagnose()
    show(diagnosis, Screen())
    if diagnosis.obstacle:
        raise UndecidedError(diagnosis.obstacle)
    return ExitCode.PASS


def show(diagnosis: Diagnosis, console: Console) -> None:
    """Print a diagnosis, and in the end what it comes to."""
    from rich.text import Text  # noqa: PLC0415 - keeps --help fast

    for section in diagnosis.sections:
        console.print(Text(section.title, "bold"), _table(section), "", sep="\n")
    if not diagnosis.obstacle:
        console.print(Text.assemble(("Audits can run here. ", "bold green"), _lacking(diagnosis)))


def _lacking(diagnosis: Diagnosis) -> str:
    if not diagnosis.missing:
        return "Nothing is missing."
    return f"Missing (above is what follows): {', '.join(diagnosis.missing)}."


def _table(section: Section) -> Table:
    from rich.table import Table  # noqa: PLC0415

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=_MARK_WIDTH + 2, no_wrap=True)
    table.add_column(width=_NAME_WIDTH)
    table.add_column(overflow="fold")
    for line in section.lines:
        table.add_row(_mark(line), line.name, _words(line))
    return table


def _mark(line: Line) -> Text:
    from rich.text import Text  # noqa: PLC0415

    return Text(f"  {line.mark}", _STYLES[line.mark])


def _words(line: Line) -> Text:
    """What was found, and below it what follows."""
    from rich.text import Text  # noqa: PLC0415

    from efficiency360.render.text import plain  # noqa: PLC0415 - names of processors and errors come from outside

    advice = [(f"\n-> {plain(line.advice)}", "dim")] if line.advice else []
    return Text.assemble(plain(line.found), *advice)
