"""Transparency: whether explanations of the model's answers deserve trust."""

from efficiency360.axes.transparency.axis import Transparency

__all__ = ["Transparency"]
