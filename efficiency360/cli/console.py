"""Standard output for people, that does not mind when nobody reads to the end."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class Screen(Console):
    """A console whose closed pipe (`e360 gate ... | head`) does not change what the command answers."""

    def on_broken_pipe(self) -> None:
        """Say nothing more, and let the command end with its own exit code."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
