"""Torch kernels that axes are made of: counting, timing, memory, behaviour; reusable, and without the audit."""

NO_COMPILER = "E360_NO_COMPILER"
"""The environment variable of a process that may start no programs, and therefore no compiler."""
