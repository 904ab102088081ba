"""The only process in which the subject's code or weights live: `python -m efficiency360.engine.worker REPLY_FD PLAN`.

Commands come on standard input, answers go to the file descriptor named on the command line; what the model prints goes
to the log. The wall stands before anything is imported that starts threads, for it binds the calling thread only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from efficiency360.engine.wall import Plan, raise_wall
from efficiency360.engine.wall.libc import prctl

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Raise the wall, take over standard input for commands, and leave the model an empty one."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    layers = raise_wall(Plan.from_json(sys.argv[2]))
    commands = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a file descriptor is wanted
        os.dup2(nothing.fileno(), 0)
    from efficiency360.engine.serving import Link, serve  # noqa: PLC0415 - numpy starts threads

    with contextlib.suppress(BrokenPipeError):
        serve(Link(commands, int(sys.argv[1])), layers)


if __name__ == "__main__":
    main()
