"""What a worker may take up: everything counts that it can still reach, and everything goes when it goes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from efficiency360.engine import private
from efficiency360.engine.private import PrivateFolder
from efficiency360.errors import AxisError

FULL = "filled its private folder"
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


@pytest.fixture
def folder(monkeypatch):
    """A folder for at most 1 MB and 100 files that is entrusted to this process."""
    monkeypatch.setattr(private, "_MOST_BYTES", 1 << 20)
    monkeypatch.setattr(private, "_MOST_FILES", 100)
    made = PrivateFolder()
    made.entrust(os.getpid())
    yield made
    made.remove()


def dig(path: str, depth: int, name: str) -> None:
    """Folders in folders, deeper than a path may be long."""
    at = os.open(path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def test_what_is_within_the_limits_is_let_be(folder):
    for number in range(50):
        (Path(folder.path) / f"{number}").write_bytes(b"x" * 4096)
    folder.check(os.getpid())


def test_too_many_bytes_are_found_in_folders_of_folders(folder):
    below = Path(folder.path) / "a/b"
    below.mkdir(parents=True)
    (below / "c").write_bytes(b"x" * (2 << 20))
    with pytest.raises(AxisError, match=FULL):
        folder.check(os.getpid())


def test_a_file_without_a_name_counts_as_long_as_it_is_open_and_once(folder):
    path = Path(folder.path) / "gone"
    with path.open("wb") as file:
        file.write(b"x" * (700 << 10))
        file.flush()
        path.unlink()
        again = os.dup(file.fileno())
        folder.check(os.getpid())
        file.write(b"x" * (700 << 10))
        file.flush()
        with pytest.raises(AxisError, match=FULL):
            folder.check(os.getpid())
    os.close(again)
    folder.check(os.getpid())


def test_folders_too_deep_for_a_path_count_as_too_much_and_are_removed(folder):
    dig(folder.path, 40, "e" * 200)
    with pytest.raises(AxisError, match=FULL):
        folder.check(os.getpid())
    folder.remove()
    assert not Path(folder.path).exists()


def test_three_thousand_folders_in_each_other_are_removed_and_links_are_not_followed(tmp_path, folder):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("here")
    (Path(folder.path) / "link").symlink_to(kept, target_is_directory=True)
    below = Path(folder.path) / "below"
    below.mkdir()
    (below / "link").symlink_to(kept, target_is_directory=True)
    dig(folder.path, 3000, "d")
    below.chmod(0)
    folder.remove()
    assert not Path(folder.path).exists()
    assert (kept / "file").read_text() == "here"


def test_a_folder_is_removed_when_nobody_holds_it_any_more():
    folder = PrivateFolder()
    path = Path(folder.path)
    assert path.is_dir()
    del folder
    assert not path.exists()


def test_too_many_threads_are_said_to_be_too_many(folder, monkeypatch):
    monkeypatch.setattr(private, "_MOST_THREADS", len(list(Path("/proc/self/task").iterdir())) + 2)
    folder.check(os.getpid())
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(16)]
    for thread in threads:
        thread.start()
    try:
        monkeypatch.setattr(private, "_MOST_THREADS", 8)
        with pytest.raises(AxisError, match="more than 8 threads"):
            folder.check(os.getpid())
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_process_that_has_ended_has_taken_up_nothing(folder):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    folder.check(pid)
    os.waitpid(pid, 0)
    folder.check(pid)
