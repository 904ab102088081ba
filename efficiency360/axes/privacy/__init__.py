"""Privacy: what the model gives away of the images that it was trained on."""

from efficiency360.axes.privacy.axis import Privacy

__all__ = ["Privacy"]
