"""A dry run in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from efficiency360.render.text import plain
from efficiency360.units import quantity

if TYPE_CHECKING:
    from rich.console import Console

    from efficiency360.engine.forecast import Forecast, Foreseen


def show(forecast: Forecast, console: Console) -> None:
    """Print what would run and what it would take."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("axis")
    for heading in ("time", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for axis in forecast.axes:
        table.add_row(axis.axis_id, *_numbers(axis), Text(plain(_remark(axis))))
    console.print(Text(plain(f"{forecast.subject.name}: {forecast.images} images, loads in {forecast.load_s:.1f} s")))
    console.print(table)
    console.print(
        f"in all about {_minutes(forecast.seconds)} and {quantity(forecast.peak_bytes, 'bytes')} of memory",
        highlight=False,
    )
    console.print("Nothing was measured (exit code 3). Leave out --dry-run to audit.", highlight=False)


def _numbers(axis: Foreseen) -> tuple[str, str]:
    if axis.why_not is not None:
        return "-", "-"
    if axis.seconds is None or axis.peak_bytes is None:
        return "not known", "not known"
    return _minutes(axis.seconds), quantity(axis.peak_bytes, "bytes")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - readable either way


def _remark(axis: Foreseen) -> str:
    if axis.why_not is None:
        return ""
    stops = "; the audit requires it, so it could not pass" if axis.missed else ""
    return f"will not run: {axis.why_not}{stops}"
