"""Exceptions of code from outside, on one line."""

from __future__ import annotations

import pytest

from efficiency360.words import told

SCRIPT = "The following operation failed in the TorchScript interpreter."
TRACE = "Traceback (most recent call last):"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (f"{TRACE}\n  File 'model.py', line 3\nKeyError: 'x'", "ValueError: KeyError: 'x'"),
        (f"it failed, {TRACE} and so on\nmore", "ValueError: it failed, and so on"),
        (f"it failed\n\n{TRACE}\n  File 'model.py', line 3", "ValueError: it failed"),
        (TRACE, "ValueError"),
        ("no <Net object at 0x7f12ab34cd56> here", "ValueError: no <Net object> here"),
        ("first\nsecond", "ValueError: first"),
        (f"{SCRIPT}\nTraceback of TorchScript\n  here\nRuntimeError: sizes\n", "ValueError: RuntimeError: sizes"),
        (f"{SCRIPT}\nTraceback of TorchScript\n  here\nRuntimeError: \n", f"ValueError: {SCRIPT}"),
    ],
)
def test_what_is_told_of_an_exception_is_what_happened_not_where(message: str, says: str) -> None:
    assert told(ValueError(message)) == says
