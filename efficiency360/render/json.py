"""The scorecard itself, as it lies in the folder of an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficiency360.records import Scorecard


def render(card: Scorecard) -> str:
    """The scorecard as JSON, as its schema describes it."""
    return card.model_dump_json(indent=2) + "\n"
