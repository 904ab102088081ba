"""The axis `speed`: what it asks the worker to time (`axis`), the numbers made of it (`numbers`), the tables."""

from efficiency360.axes.speed.axis import Speed

__all__ = ["Speed"]
