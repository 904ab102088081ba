"""Freed memory stays with the process while asked to, and goes back afterwards."""

import sys

import numpy as np
import pytest

from efficiency360.numerics import memory
from efficiency360.numerics.allocator import _glibc, freed_memory_is_kept

_LARGE = 256 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux") or _glibc() is None, reason="the C library is not glibc")
def test_freed_memory_is_kept_inside_and_given_back_afterwards(monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    before = memory.process_now()
    with freed_memory_is_kept():
        np.ones(_LARGE, np.uint8)
        inside = memory.process_now()
    assert inside - before > 0.9 * _LARGE
    assert memory.process_now() - before < 0.5 * _LARGE


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr("efficiency360.numerics.allocator._glibc", lambda: None)
    with freed_memory_is_kept():
        assert np.ones(3).sum() == 3
