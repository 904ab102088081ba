"""What tests of charts look at: the words of the page, the layers of a spec, the SVG that is drawn."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import efficiency360.render

TEMPLATES = Path(efficiency360.render.__file__).parent / "templates"


@pytest.fixture(scope="session")
def words():
    """The English of the report."""
    return tomllib.loads((TEMPLATES / "report.en.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def data_of():
    """The rows of all layers of a spec with this name."""

    def rows(spec, name):
        layers = [layer for layer in spec["layer"] if layer["name"].rpartition("_")[0] == name]
        return [row for layer in layers for row in layer["data"]["values"]]

    return rows


@pytest.fixture(scope="session")
def domain_of():
    """Both ends of a scale of a spec."""
    return lambda spec, channel: tuple(spec["encoding"][channel]["scale"]["domain"])
