"""One file an axis. An axis observes a subject inside the worker and measures what it saw outside it."""

from efficiency360.axes.base import Axis, Evidence, Labels, Need, Progress, Run, Workload, labels_for
from efficiency360.axes.registry import axis_ids, axis_type, make_axis

__all__ = [
    "Axis",
    "Evidence",
    "Labels",
    "Need",
    "Progress",
    "Run",
    "Workload",
    "axis_ids",
    "axis_type",
    "labels_for",
    "make_axis",
]
