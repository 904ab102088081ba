"""The command line that audits a file, as far as inspecting it tells what belongs on it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAMELESS = "timm:NAME"


def audit_command(  # noqa: PLR0913 - one keyword for each option of the line
    path: Path,
    *,
    arch: str | None = None,
    by_order: bool = False,
    key: str | None = None,
    image: tuple[int, int, int] | None = None,
    trust_code: bool = False,
) -> str:
    """A line that a shell takes as it stands, whatever characters the file's name has."""
    name = os.fspath(path)
    words = ["e360", "audit", f"./{name}" if name.startswith("-") else name]
    words += ["--arch", arch] if arch else []
    words += ["--remap", "order"] if by_order else []
    words += ["--key", key] if key else []
    words += ["--input", "x".join(map(str, image))] if image else []
    words += ["--trust-code"] if trust_code else []
    return quoted_line(words)


def quoted_line(words: Iterable[str]) -> str:
    """Words as a shell reads them back; those that a terminal cannot show are written as their bytes."""
    return " ".join(shlex.quote(word) if word.isprintable() else _as_bytes(word) for word in words)


def _as_bytes(word: str) -> str:
    escaped = "".join(
        chr(byte) if 0x20 < byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}"  # noqa: PLR2004 - ASCII's letters
        for byte in os.fsencode(word)
    )
    return f"$'{escaped}'"
