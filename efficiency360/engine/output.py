"""What a worker prints: a file of its own, from which no more than a megabyte is kept."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HALF = 1 << 19


class Output:
    """A file without a name that a worker's standard output and error go to.

    The log is out of the worker's reach: it could fill it, or empty it, with all that others have written there.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `keep`

    def fileno(self) -> int:
        """The descriptor to give to the worker."""
        return self._file.fileno()

    def keep(self, log: Path) -> None:
        """Append it to the log, the middle left out where it is long, and close it."""
        with self._file as file, log.open("ab") as kept:
            size = os.fstat(file.fileno()).st_size
            if size <= 2 * _HALF:
                kept.write(os.pread(file.fileno(), size, 0))
                return
            kept.write(os.pread(file.fileno(), _HALF, 0))
            kept.write(f"\n... {size - 2 * _HALF:,} bytes that the worker printed are left out here ...\n".encode())
            kept.write(os.pread(file.fileno(), _HALF, size - _HALF))
