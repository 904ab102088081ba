"""`e360`: the commands, errors as one line, exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import typer

from efficiency360.cli import (
    audit,
    baseline,
    compare,
    demo,
    doctor,
    gallery,
    gate,
    history,
    init,
    inspect,
    listing,
    report,
    search,
)
from efficiency360.errors import E360Error, ExitCode
from efficiency360.render.text import plain

if TYPE_CHECKING:
    from types import FrameType

_INTERRUPTED = 130  # what typer makes of Ctrl-C
_ENDING = (signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
_ClickException = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="e360",
    help="Audit a vision model on every axis of Efficiency 360, and turn the result into a report and a yes or no.",
    epilog="Start with: e360 demo",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module, _name, _short in (
    (audit, "audit", "Measure a model, judge it, write scorecard and report."),
    (gate, "gate", "Judge a scorecard again, and against a baseline."),
    (compare, "compare", "Models side by side; or timed in turns on this machine."),
    (report, "report", "Write a scorecard in another format."),
    (init, "init", "Put a workflow, limits and a baseline into a repository."),
    (demo, "demo", "Audit the small model that comes with e360."),
    (inspect, "inspect", "What is in a model file, without running it."),
    (doctor, "doctor", "What this machine can measure."),
    (listing, "list", "Axes, audit files, models and formats."),
    (search, "search", "Find a transformer for this machine and these images."),
    (gallery, "gallery", "One page over many reports."),
    (history, "history", "How every axis went over past audits."),
):
    app.command(_name, epilog=_module.EXAMPLES, short_help=_short)(_module.command)
app.add_typer(baseline.app, name="baseline", short_help="Accept the audit that later ones are compared with.")


def main() -> None:
    """Run a command; whatever goes wrong becomes one line on standard error and an exit code."""
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))


def _end(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, once: a second signal must not break off what is being put away."""
    for other in _ENDING:
        signal.signal(other, signal.SIG_IGN)
    signal.default_int_handler(number, frame)


def run(arguments: list[str]) -> int:
    """The exit code of `e360 ARGUMENTS`."""
    try:
        code = app(arguments or ["--help"], standalone_mode=False)
    except E360Error as error:
        return _complain(str(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except (BrokenPipeError, SystemExit):  # typer ends in the second where a reader such as head is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNDECIDED
    except Exception as error:
        if isinstance(error, _ClickException):
            return _complain(_usage(error), ExitCode.USAGE)
        if os.environ.get("E360_DEBUG"):
            raise
        text = f"internal error, please report it: {type(error).__name__}: {error} (E360_DEBUG=1 shows where)"
        return _complain(text, ExitCode.UNDECIDED)
    if code == _INTERRUPTED:
        code = _complain("interrupted", ExitCode.UNDECIDED)
    return code if isinstance(code, int) else ExitCode.PASS


def _usage(error: BaseException) -> str:
    command = getattr(getattr(error, "ctx", None), "command_path", "e360")
    return f"{error.format_message()} (see {command} --help)"  # type: ignore[attr-defined] # every ClickException has it


def _complain(message: str, code: ExitCode) -> ExitCode:
    with contextlib.suppress(OSError):  # a terminal that has hung up
        sys.stderr.write(f"e360: {plain(' '.join(message.split()))}\n")
    return code
