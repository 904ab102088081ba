"""The one folder that a worker may write to, what the worker may take up beside memory and time, and its removal."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.errors import AxisError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_BYTES, _MOST_FILES = 2 << 30, 10_000
_MOST_THREADS = max(1024, 16 * (os.cpu_count() or 1))
_BLOCK = 512  # what st_blocks counts in
_GONE = (FileNotFoundError, NotADirectoryError, ProcessLookupError)  # between one look and the next
_ENDED = (b"Z", b"X")


class PrivateFolder:
    """A new empty folder at `path`, until `remove` is called or this process ends."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix="e360-")
        self.remove = weakref.finalize(self, remove_tree, self.path)
        self._device = Path(self.path).stat().st_dev
        self._shows_files = False

    def entrust(self, pid: int) -> None:
        """Note, before the process runs foreign code, whether the files that it has open can be seen from here."""
        self._shows_files = os.access(f"/proc/{pid}/fd", os.R_OK)

    def check(self, pid: int) -> None:
        """See that the process has not taken up too much.

        Raises:
            AxisError: more than 2 GB or 10,000 files, counting those without a name that it has open, or files that
                cannot be counted; or too many threads.
        """
        try:
            full = self._overfull(pid)
        except OSError:  # a folder that is closed to us, or too deep for a path
            full = True
        if full:
            raise AxisError("the model filled its private folder with more than 2 GB, or 10,000 files")
        if _threads(pid) > _MOST_THREADS:
            raise AxisError(f"the model started more than {_MOST_THREADS:,} threads")

    def _overfull(self, pid: int) -> bool:
        """Counting stops where it is too much."""
        size = 0
        for count, blocks in enumerate(itertools.chain(_named(self.path), self._unnamed(pid))):
            size += blocks * _BLOCK
            if size > _MOST_BYTES or count > _MOST_FILES:
                return True
        return False

    def _unnamed(self, pid: int) -> Iterator[int]:
        """The blocks of each file on the folder's disk that has no name any more and is still open."""
        if not self._shows_files or _ended(pid):
            return
        seen = set()
        for entry in _entries(f"/proc/{pid}/fd"):
            with contextlib.suppress(*_GONE):
                found = entry.stat()
                if not found.st_nlink and found.st_dev == self._device and found.st_ino not in seen:
                    seen.add(found.st_ino)
                    yield found.st_blocks


def remove_tree(path: str) -> None:
    """Remove a folder however deep it is, as far as that can be done.

    What is inside a folder is moved up to the root, so neither paths nor the stack grow with the depth.
    """
    with contextlib.suppress(OSError):
        Path(path).chmod(0o700)
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            names = (f"{secrets.token_hex(8)}-{count}" for count in itertools.count())
            left = os.listdir(root)  # noqa: PTH208 - of a descriptor
            while left:
                left += _removed(root, left.pop(), names)
        finally:
            os.close(root)
        Path(path).rmdir()


def _removed(root: int, name: str, names: Iterator[str]) -> list[str]:
    """Remove an entry of the root; of a folder, the new names in the root of the folders that were in it."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=root)
        return []
    moved = []
    with contextlib.suppress(OSError):
        os.chmod(name, 0o700, dir_fd=root)
        folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
        try:
            moved = [new for entry in os.listdir(folder) if (new := _raised(folder, entry, root, names))]  # noqa: PTH208
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=root)
    return moved


def _raised(folder: int, entry: str, root: int, names: Iterator[str]) -> str | None:
    """Remove a file of a folder, or move a folder of it into the root under a new name."""
    with contextlib.suppress(OSError):
        os.unlink(entry, dir_fd=folder)
        return None
    with contextlib.suppress(OSError):
        os.chmod(entry, 0o700, dir_fd=folder)
        os.rename(entry, new := next(names), src_dir_fd=folder, dst_dir_fd=root)
        return new
    return None


def _named(folder: str) -> Iterator[int]:
    """The blocks of everything in a folder."""
    left = [folder]
    while left:
        for entry in _entries(left.pop()):
            with contextlib.suppress(*_GONE):
                yield entry.stat(follow_symlinks=False).st_blocks
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(*_GONE), os.scandir(folder) as entries:
        yield from entries


def _threads(pid: int) -> int:
    """How many threads a process has; 0 where that cannot be told."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - names are enough
    except OSError:
        return 0


def _ended(pid: int) -> bool:
    """Whether a process is gone but for its number, which closes its files to us."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in _ENDED
    except (OSError, IndexError):
        return True
