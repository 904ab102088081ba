"""Intervals and tests, numpy only; every function names its source and is checked against another library."""
