"""Privacy: what protecting the training images would cost, and what the model gives away about them."""

from efficiency360.axes.privacy.axis import Privacy

__all__ = ["Privacy"]
