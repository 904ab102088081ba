"""Which axes there are: ours by name, others by the entry point `efficiency360.axes`."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from efficiency360.errors import InputError
from efficiency360.spec import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.axes.base import Axis

_OURS = {
    "cost": "efficiency360.axes.cost:Cost",
    "speed": "efficiency360.axes.speed:Speed",
    "accuracy": "efficiency360.axes.accuracy:Accuracy",
    "uncertainty": "efficiency360.axes.uncertainty:Uncertainty",
    "robustness": "efficiency360.axes.robustness:Robustness",
    "privacy": "efficiency360.axes.privacy:Privacy",
    "resolution": "efficiency360.axes.resolution:Resolution",
}
_HIDDEN = {
    "probe": "efficiency360.axes.probe:Probe",
    "behaviour": "efficiency360.axes.behaviour:Behaviour",
    "turns": "efficiency360.axes.turns:Turns",
}
"""Not for audit files: what a dry run observes, what is asked of every subject first, and turns of a comparison."""


@cache
def _registry() -> dict[str, str]:
    plugins = {point.name: point.value for point in entry_points(group="efficiency360.axes")}
    return {**plugins, **_OURS, **_HIDDEN}


def axis_ids() -> tuple[str, ...]:
    """All axes that can be measured here: ours first, in the order in which they run."""
    return (*_OURS, *sorted(_registry().keys() - _OURS.keys() - _HIDDEN.keys()))


def axis_type(axis_id: str) -> type[Axis]:
    """The class of an axis.

    Raises:
        InputError: there is no such axis, or its plugin cannot be imported.
    """
    try:
        module, _, name = _registry()[axis_id].partition(":")
    except KeyError:
        raise InputError(f"no axis '{axis_id}'{suggest(axis_id, axis_ids())}") from None
    try:
        return cast("type[Axis]", getattr(import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise InputError(f"the plugin for the axis '{axis_id}' does not load ({error}); mend or remove it") from error


def make_axis(axis_id: str, settings: Mapping[str, Any]) -> Axis:
    """An axis with these settings; the others keep their defaults.

    Raises:
        InputError: no such axis, an unknown setting, or a value of the wrong kind.
    """
    cls = axis_type(axis_id)
    known = [field.name for field in fields(cast("Any", cls))]
    for key in settings:
        if key not in known:
            raise InputError(f"unknown setting '{axis_id}.{key}'{suggest(key, [*known, 'required'])}")
    try:
        return TypeAdapter(cls).validate_python(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"setting '{axis_id}.{place}': {first['msg'].removeprefix('Value error, ')}") from error
