"""Torch parts of membership inference: log odds, reference heads, runs with canaries."""
