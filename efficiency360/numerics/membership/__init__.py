"""Torch parts of membership inference: what the head of a classifier sees, reference heads, runs with canaries."""
