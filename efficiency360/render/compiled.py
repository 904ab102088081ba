"""Templates compiled once: kept in this process for all languages, and beside the templates for the next one.

What is kept lies in `templates/__pycache__`, where Python keeps the like of modules, and under the same conditions: not
where Python was told to write none (`PYTHONDONTWRITEBYTECODE`), elsewhere with `PYTHONPYCACHEPREFIX`, and a folder that
cannot be written only costs time. Who can write there can change the modules themselves.

A template that is kept must say the same whoever uses it: filters and globals must not be asked about constants only,
as that would be worked out while compiling.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from jinja2 import BytecodeCache

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

TEMPLATES = Path(__file__).parent / "templates"


class Compiled(BytecodeCache):
    """What templates were compiled to, one for all languages: filters differ in what they say, not in which there are.

    Args:
        templates: the folder of the templates.
    """

    def __init__(self, templates: Path = TEMPLATES) -> None:
        self._templates = templates
        self._codes: dict[str, bytes] = {}

    def get_cache_key(self, name: str, filename: str | None = None) -> str:  # noqa: ARG002 - as jinja2 has it
        """The name of the template and the version of what compiled it; the bucket itself knows source and Python."""
        return f"{name}.{jinja2.__version__}"

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled before; jinja2 sees whether it is of this source and this Python."""
        code = self._codes.get(bucket.key)
        if code is None:
            with contextlib.suppress(OSError, NotImplementedError):
                code = self._file(bucket).read_bytes()
        if code:
            with contextlib.suppress(EOFError, ValueError, TypeError):  # half a file is none
                bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled now."""
        self._codes[bucket.key] = code = bucket.bytecode_to_string()
        if not sys.dont_write_bytecode:
            with contextlib.suppress(OSError, NotImplementedError):
                _written(self._file(bucket), code)

    def _file(self, bucket: Bucket) -> Path:
        return Path(cache_from_source(str(self._templates / f"{bucket.key}.j2")))


def _written(path: Path, data: bytes) -> None:
    """Write a file so that another process never sees half of it; unlike a report's, its loss costs nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)  # noqa: PTH105 - `name` is a str
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - `name` is a str
        raise
