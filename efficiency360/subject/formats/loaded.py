"""What opening a model file of any kind gives. Used in the worker only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from efficiency360.records import Caveat
    from efficiency360.subject.subject import Stored


@dataclass(frozen=True)
class Loaded:
    """A module with weights, and what its file or its architecture's home says of it.

    `preprocess` holds the keys of `Preprocess` that are known. `output` says where the logits are if the manifest does
    not; `takes_output` that the module hands over nothing but what the manifest names. `batch` is the least and the
    most images that it takes at once (None: any number). `stored` are the weights where they are no parameters.
    `black_box` says why torch cannot look inside (empty: it can).
    """

    module: nn.Module
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    caveats: tuple[Caveat, ...] = ()
    output: int | str | None = None
    takes_output: bool = False
    batch: tuple[int, int] | None = None
    stored: Stored | None = None
    black_box: str = ""
