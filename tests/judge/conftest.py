"""Axes and audit files in miniature."""

from __future__ import annotations

from typing import Any

import pytest

from efficiency360.records import AxisRecord, Interval, Measurement
from efficiency360.spec import AuditSpec, parse_audit


class Make:
    """Makes records for the judge."""

    @staticmethod
    def number(name: str, value: float, *ends: float, **more: Any) -> Measurement:
        """A measurement of name, value, and the ends of an interval."""
        interval = Interval(low=ends[0], high=ends[1], level=0.95, method="wilson") if ends else None
        return Measurement(name=name, value=value, unit="", interval=interval, **more)

    @staticmethod
    def axis(*measurements: Measurement) -> AxisRecord:
        """A measured axis; its id is that of the measurements' names."""
        name = measurements[0].name.split(".")[0]
        return AxisRecord(id=name, version=1, status="measured", measurements=measurements)

    @staticmethod
    def missing(axis_id: str, status: str = "skipped") -> AxisRecord:
        """An axis that was skipped or failed."""
        fields = {"id": axis_id, "version": 1, "status": status, "reason": "the sensor is not there"}
        return AxisRecord.model_validate(fields)

    @staticmethod
    def spec(axes: str = "accuracy", **content: Any) -> AuditSpec:
        """An audit of `axes`, "?" behind those that are not required; scores and rules as in a file."""
        tables = {axis.rstrip("?"): {"required": not axis.endswith("?")} for axis in axes.split()}
        for kind in ("scores", "rules"):
            content[kind] = [{"rationale": "why", **entry} for entry in content.get(kind, ())]
        return parse_audit({"title": "A gate", "axes": tables, **content}, "gate.toml")


@pytest.fixture(scope="session")
def make() -> Make:
    """Makes records for the judge."""
    return Make()
