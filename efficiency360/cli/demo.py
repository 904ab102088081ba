"""`e360 demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from efficiency360.cli.arguments import Lang

SETTINGS = {
    "speed": {"seconds": 3},
    "robustness": {"eps": ["1/255", "10/255"], "images": 50},
    "privacy": {"members": "digits-train"},
}
"""A taste within seconds; at 10/255 most of what 4/255 leaves of such small images falls."""
EXAMPLES = "Example:\n\ne360 demo --out /tmp/demo"


def command(
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("e360-out/demo"),
    threads: Annotated[int | None, typer.Option(help="Processor threads [default: all].")] = None,
    lang: Lang = "en",
) -> int:
    """Audit the small model that comes with e360, on digits that its training never saw."""
    from efficiency360.cli.audit import run  # noqa: PLC0415 - keeps --help fast
    from efficiency360.cli.options import parse_language  # noqa: PLC0415

    return run(
        "zoo:digits_transformer",
        out,
        language=parse_language(lang),
        data="digits",
        audit="standard",
        settings=SETTINGS,
        threads=threads,
    )
