"""Audit a vision model on every axis of Efficiency 360, with intervals, a report and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from efficiency360.dataset import Dataset
    from efficiency360.engine.api import audit
    from efficiency360.engine.gate import gate
    from efficiency360.records import Scorecard

__all__ = ["Dataset", "Scorecard", "audit", "gate"]

_HOMES = {
    "audit": "efficiency360.engine.api",
    "gate": "efficiency360.engine.gate",
    "Dataset": "efficiency360.dataset",
    "Scorecard": "efficiency360.records",
}


def __getattr__(name: str) -> Any:
    """Import the public names only when they are used, so that `e360 --help` stays fast."""
    from importlib import import_module  # noqa: PLC0415 - see above

    if name not in _HOMES:
        raise AttributeError(f"module 'efficiency360' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
