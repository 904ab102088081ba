"""Scorecard -> what people and pipelines read; one file a format, each a pure function of the scorecard."""
