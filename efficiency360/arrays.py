"""Named arrays out of an `.npz`, whatever its bytes turn out to be; nothing is ever unpickled."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.lib.npyio import NpzFile

if TYPE_CHECKING:
    from numpy.typing import NDArray


def load_arrays(file: IO[bytes]) -> dict[str, NDArray[np.generic]]:
    """The arrays of an `.npz` by name; members that are no arrays are left out. By path, numpy would leak the file.

    Raises:
        ValueError: the file cannot be read, is damaged, is not an archive, or holds Python objects.
    """
    try:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, NpzFile):
            raise ValueError("a single array, not an archive of named ones")  # noqa: TRY004, TRY301
        with archive:
            members = {name: archive[name] for name in archive.files}
    except Exception as error:  # damage shows as any of a dozen errors of zipfile, zlib and numpy
        raise ValueError(str(error)) from error
    return {name: member for name, member in members.items() if isinstance(member, np.ndarray)}
