"""The command line: one file a command, and the only place that prints or exits."""

from efficiency360.cli.app import main

__all__ = ["main"]
