"""`e360 baseline accept` and `e360 baseline show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efficiency360.cli.arguments import ScorecardPath

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.baseline import Acceptance, Candidate
    from efficiency360.records import Scorecard

_DEFAULT = Path("reports/baseline")
_EXAMPLES = (
    "Examples:\n\n"
    'e360 baseline accept e360-out/ --why "fewer false alarms at night, seen on line 3"\n\n'
    "e360 baseline show"
)

app = typer.Typer(
    help="The audit that later ones are compared with: accept one, or see who accepted it, when and why.",
    epilog=_EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("accept", epilog=_EXAMPLES)
def accept_command(
    scorecard: ScorecardPath,
    why: Annotated[str, typer.Option(help="Why it should be what others are compared with; kept in the history.")],
    by: Annotated[str | None, typer.Option(help="Who accepts it [default: git's user.name, else the login].")] = None,
    to: Annotated[Path, typer.Option(metavar="DIR", help="The baseline's folder.")] = _DEFAULT,
    with_evidence: Annotated[
        bool, typer.Option("--with-evidence", help="Copy all evidence, not only what comparisons need.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Accept it though its verdict is not pass.")] = False,
) -> int:
    """Make a scorecard the baseline, measured again from its evidence; note who did so, when and why."""
    from datetime import UTC, datetime  # noqa: PLC0415 - keeps --help fast

    from efficiency360.baseline import accept, candidate  # noqa: PLC0415
    from efficiency360.engine.recompute import recompute  # noqa: PLC0415
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415
    from efficiency360.scorecards import scorecard_file  # noqa: PLC0415

    reason, person = _one_line(why), _one_line(_somebody() if by is None else by)
    if reason.strip(".") == "":
        reason = ""
    if not reason or not person:
        raise InputError(f"{'--by' if reason else '--why'} is empty; say {'who accepts it' if reason else 'why'}")
    new = candidate(scorecard, with_evidence=with_evidence)
    recompute(new.card, new.audited, scorecard_file(scorecard).parent)
    if (outcome := new.card.verdict.outcome) != "pass" and not force:
        hint = "--force accepts it all the same, and the history will say so"
        raise InputError(f"the verdict of {scorecard} is {outcome}, not pass; {hint}")
    said = accept(new, to, by=person, at=datetime.now(UTC).isoformat(timespec="seconds"), why=reason)
    typer.echo(plain(f"baseline: {to}: {said.model}, accepted by {said.accepted_by} ({said.verdict})"))
    for note in _notes(new, to):
        typer.echo(plain(f"note: {note}"), err=True)
    typer.echo(f"next: commit {to}, so that everybody compares with it")
    return 0


@app.command("show", epilog=_EXAMPLES)
def show_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The baseline's folder.")] = _DEFAULT,
) -> int:
    """Say what the baseline is, who accepted it, when and why, and which ones came before."""
    from efficiency360.baseline import accepted_baseline, history  # noqa: PLC0415 - keeps --help fast
    from efficiency360.render.text import plain  # noqa: PLC0415

    card, accepted = accepted_baseline(folder)
    rows = {
        "model": f"{card.subject.name} ({card.subject.fingerprint or 'no fingerprint'})",
        "accepted": f"{accepted.accepted_at} by {accepted.accepted_by}",
        "why": accepted.why,
        "verdict": f"{card.verdict.outcome}: {'; '.join(card.verdict.reasons)}",
        "audit": f"{card.audit.title}, {card.environment.started_at}",
    }
    for name, text in [*rows.items(), *_headline(card)]:
        typer.echo(plain(f"{name:<30}{text}"))
    typer.echo("history")
    for line in reversed(history(folder)):
        typer.echo(plain(f"  {_in_history(line)}"))
    return 0


def _headline(card: Scorecard) -> Iterable[tuple[str, str]]:
    """The numbers that reports put first, with their intervals."""
    from efficiency360.render.gallery import COLUMNS  # noqa: PLC0415
    from efficiency360.render.text import quantity, spread, title  # noqa: PLC0415
    from efficiency360.units import shown  # noqa: PLC0415

    for found in filter(None, (column.find(card) for column in COLUMNS)):
        interval = f" ({spread(found.interval, shown(found))})" if found.interval else ""
        yield title(found.name), f"{quantity(found.value, shown(found))}{interval}"


def _in_history(line: Acceptance) -> str:
    forced = "" if line.verdict == "pass" else f", though its verdict was {line.verdict}"
    short = (line.fingerprint or "no fingerprint")[:12]
    return f"{line.accepted_at} {line.model} ({short}) by {line.accepted_by}: {line.why}{forced}"


def _notes(new: Candidate, to: Path) -> Iterable[str]:
    """What somebody who has just accepted a baseline should know."""
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.spec import load_audit  # noqa: PLC0415

    if not new.comparable:
        yield f"{to} holds no samples, so nothing that was sampled can be compared with it; audit the model again"
    try:
        spec = load_audit(new.card.audit.file)
    except InputError:  # it was audited elsewhere
        return
    if spec.without_baseline == "pass" and any(rule.no_worse_than_baseline for rule in spec.rules):
        told = f"{spec.file} lets a release pass without a baseline; now that there is one, write"
        yield f'{told} without_baseline = "block" there, so that losing it is noticed'


def _one_line(text: str) -> str:
    return " ".join(text.encode(errors="replace").decode().split())


def _somebody() -> str:
    """Git's user, else the login; empty where neither is known."""
    import getpass  # noqa: PLC0415
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    if git := shutil.which("git"):
        asked = subprocess.run([git, "config", "user.name"], capture_output=True, text=True, check=False)  # noqa: S603
        if name := asked.stdout.strip():
            return name
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, as in some containers
        return ""
