"""The method that a spec stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.numerics.attacks.apgd import Apgd
from efficiency360.numerics.attacks.fab import Fab
from efficiency360.numerics.attacks.foreign import Foreign
from efficiency360.numerics.attacks.pgd import Pgd
from efficiency360.numerics.attacks.square_l2 import SquareL2
from efficiency360.numerics.attacks.square_linf import SquareLinf

if TYPE_CHECKING:
    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.method import Method
    from efficiency360.numerics.attacks.spec import Spec
    from efficiency360.numerics.attacks.verify import Logits

_OURS: dict[str, type[Method]] = {"apgd-ce": Apgd, "apgd-dlr": Apgd, "apgd-t": Apgd, "fab-t": Fab, "pgd": Pgd}


def method_of(spec: Spec, ball: Ball, classes: int, logits: Logits) -> Method:
    """The attack of a spec on a ball; `logits` is for attacks that run as a whole, and asks the model themselves.

    Raises:
        InputError: torchattacks' class does not take the parameters.
    """
    if not spec.ours:
        return Foreign(spec, ball, classes, logits)
    if spec.name == "square":
        return (SquareLinf if ball.norm == "Linf" else SquareL2)(spec, ball, classes)
    return _OURS[spec.name](spec, ball, classes)
