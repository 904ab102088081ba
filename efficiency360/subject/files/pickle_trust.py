"""Which globals of a pickle only rebuild weights, and which may run other code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_REBUILDS = re.compile(
    r"torch\.(Size|device|b?float\w*|u?int\d+|b?complex\d+|bool|bits\w+|qu?int\w+|per_\w+)"
    r"|torch\.(cuda\.)?(sparse\.)?[A-Z]\w*(Storage|Tensor)|torch\.Tensor"
    r"|torch\.storage\.\w*Storage"
    r"|torch\._utils\._rebuild_\w+"
    r"|torch\._tensor\._rebuild_from_type(_v2)?"
    r"|torch\.nn\.parameter\.(Parameter|Buffer)"
    r"|torch\.serialization\._get_layout"
    r"|collections\.(OrderedDict|Counter)|_codecs\.encode|builtins\.(bytearray|set|complex)"
)


def split_globals(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Globals that `torch.load(weights_only=True)` knows, since they only rebuild weights; and all others."""
    rebuilds: list[str] = []
    others: list[str] = []
    for name in dict.fromkeys(names):
        (rebuilds if _REBUILDS.fullmatch(name) else others).append(name)
    return tuple(rebuilds), tuple(others)
