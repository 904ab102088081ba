"""Robustness: adversarial attacks and natural corruptions, and whether the figures can be trusted."""

from efficiency360.axes.robustness.axis import Robustness

__all__ = ["Robustness"]
