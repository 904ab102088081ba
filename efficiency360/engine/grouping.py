"""Groups that the caller names (`--group`), and whether data and classes fit what the axes are set to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.axes import make_axis
from efficiency360.errors import InputError
from efficiency360.spec import AuditSpec, AxisSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from efficiency360.axes import Axis
    from efficiency360.dataset import Dataset, Labels

_AXIS = "fairness"


def listed(groups: Sequence[str] | str | None) -> list[str]:
    """`"race, age"` or a list as a list of names, each once."""
    parts = groups.split(",") if isinstance(groups, str) else groups or ()
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def with_groups(
    spec: AuditSpec, selected: frozenset[str], groups: Sequence[str] | str | None, axes: Sequence[str] | None
) -> tuple[AuditSpec, frozenset[str]]:
    """The audit with the fairness axis comparing these groups (None: as the audit file has it), and what is to run.

    Raises:
        InputError: no group is named, or `axes` leaves the axis out.
    """
    if groups is None:
        return spec, selected
    names = listed(groups)
    if not names:
        raise InputError("--group names no column; give some, such as --group race,age_group")
    if axes is not None and _AXIS not in axes:
        raise InputError("--group is for the axis fairness, which --axes leaves out; add it there")
    axis = spec.axes.get(_AXIS, AxisSpec())
    axis = axis.model_copy(update={"settings": {**axis.settings, "groups": names}})
    return spec.model_copy(update={"axes": {**spec.axes, _AXIS: axis}}), selected | {_AXIS}


def check_data(spec: AuditSpec, selected: frozenset[str], data: Dataset | None) -> None:
    """Refuse settings of the selected axes that the data do not fit, before anything is loaded.

    Raises:
        InputError: naming the axis.
    """
    if data is not None:
        _check(spec, selected, lambda axis: axis.check(data))


def check_labels(spec: AuditSpec, selected: frozenset[str], labels: Labels | None, num_classes: int) -> None:
    """Refuse settings of the selected axes that the model's classes do not fit, before anything is measured.

    Raises:
        InputError: naming the axis.
    """
    if labels is not None:
        _check(spec, selected, lambda axis: axis.check_labels(labels, num_classes))


def _check(spec: AuditSpec, selected: frozenset[str], fits: Callable[[Axis], None]) -> None:
    for axis_id in sorted(selected):
        try:
            fits(make_axis(axis_id, spec.axes[axis_id].settings))
        except InputError as error:
            raise InputError(f"{axis_id}: {error}") from error
