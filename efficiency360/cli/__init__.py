"""The command line: one file a command, and the only place that prints or exits."""

import os

# Plugins of pydantic could change what a scorecard means, and looking for them costs a tenth of the gate's time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from efficiency360.cli.app import main

__all__ = ["main"]
