"""Fairness: whether the model serves some groups worse than others, where, and what could be done about it."""

from efficiency360.axes.fairness.axis import Fairness

__all__ = ["Fairness"]
