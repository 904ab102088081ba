"""Building an architecture for weights that are known already: no more memory than those explain. Worker only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch.utils._python_dispatch import TorchDispatchMode

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torch import Tensor

_TIMES = 4  # the weights themselves, and what drawing their first values takes
_BESIDES = 2**26  # numbers that no weight explains, such as tables of positions
_LENGTHS = frozenset({"arange", "linspace", "logspace", "range"})
_SIZES = frozenset({"empty", "empty_strided", "full", "ones", "rand", "randint", "randn", "zeros"})


class Bounded(TorchDispatchMode):  # type: ignore[no-untyped-call] # its __init_subclass__
    """While this is entered, making tensors with many more numbers than `weights` have raises InputError.

    It is raised before the memory is taken.
    """

    def __init__(self, weights: Collection[Tensor], what: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left = _TIMES * sum(weight.numel() for weight in weights) + _BESIDES
        self._what = what

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Count what is made, and let it be made."""
        self._left -= _numbers(func.overloadpacket.__name__.removeprefix("new_"), func.overloadpacket, args)
        if self._left < 0:
            raise InputError(
                f"{self._what} describes a far larger model than its weights are; download or save it again"
            )
        return func(*args, **(kwargs or {}))


def _numbers(name: str, packet: Any, args: tuple[Any, ...]) -> int:
    """How many numbers a call makes out of nothing; 0 for any other call."""
    if packet.__name__.startswith("new_") and name in _SIZES:
        args = args[1:]
    plain = [one for one in args if isinstance(one, int | float) and not isinstance(one, bool)]
    if name in _SIZES:
        return math.prod(int(size) for size in next((one for one in args if isinstance(one, list | tuple)), ()))
    if name in {"eye", "randperm"}:
        return int(plain[0] * (plain[-1] if name == "eye" else 1))
    if name not in _LENGTHS or not plain:
        return 0
    if name != "arange":
        return int(plain[2]) if len(plain) > 2 else 0  # noqa: PLR2004 - start, end, steps
    start, end, step = (0, plain[0], 1) if len(plain) == 1 else (*plain, 1)[:3]
    return max(0, math.ceil((end - start) / step)) if step else 0
