"""Every failure that a user can cause or must know about, in one place."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command says to the shell; 2 outranks 1, 1 outranks 3, 3 outranks 0."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    UNDECIDED = 3


class E360Error(Exception):
    """A failure with a sentence for the user: what was wrong, where, and the next step."""

    exit_code = ExitCode.USAGE


class InputError(E360Error):
    """Bad usage or bad input: the user can mend it (exit code 2)."""


class AxisError(E360Error):
    """One axis could not be measured; the others go on (exit code 3 where the axis is required)."""

    exit_code = ExitCode.UNDECIDED


class UndecidedError(E360Error):
    """The audit could not be carried through; what was finished is kept (exit code 3)."""

    exit_code = ExitCode.UNDECIDED
