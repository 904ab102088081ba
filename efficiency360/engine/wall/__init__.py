"""The wall around the process that runs the model: limits, namespaces, Landlock and seccomp, by ctypes alone.

Nothing here imports more than the standard library, so that the wall stands before numpy or torch start a thread.
"""

from efficiency360.engine.wall.build import raise_wall
from efficiency360.engine.wall.plan import ALWAYS, EVERY_LAYER, Plan

__all__ = ["ALWAYS", "EVERY_LAYER", "Plan", "raise_wall"]
