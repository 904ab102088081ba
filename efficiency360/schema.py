"""The published JSON Schema of scorecards; `python -m efficiency360.schema` prints it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from efficiency360.records import SCHEMA_VERSION, Scorecard

PUBLISHED = Path(__file__).with_name("scorecard.schema.json")


def scorecard_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `scorecard.json`."""
    schema = Scorecard.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:efficiency360:scorecard:{SCHEMA_VERSION}",
        **schema,
        "title": f"e360 scorecard, version {SCHEMA_VERSION}",
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(scorecard_schema(), indent=2) + "\n")
