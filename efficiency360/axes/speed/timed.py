"""What was timed, as the numbers and the tables ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence
    from efficiency360.axes.stretches import Stretches
    from efficiency360.records import Param

_ITEM_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
_KNOWN_COMPUTE = 0.95


@dataclass(frozen=True)
class Timed:
    """The stretches of a speed axis, and the share that intervals allow to both sides for drift between audits."""

    stretches: Stretches
    allowance: float

    @property
    def evidence(self) -> Evidence:
        """All evidence."""
        return self.stretches.evidence

    @property
    def how(self) -> dict[str, Param]:
        """The params that all timings share."""
        return {"threads": int(self.evidence["threads"][0]), "dtype": str(self.evidence["dtype"][0])}

    @property
    def batches(self) -> list[int]:
        """The batch sizes that were timed."""
        return [int(batch) for batch in np.unique(self.evidence["stretch_batch"])]

    @property
    def variants(self) -> list[str]:
        """The variants that were timed, in the order asked for."""
        return [str(name) for name in dict.fromkeys(self.evidence["stretch_variant"].tolist()) if name]

    def allowed(self, interval: Interval) -> Interval:
        """An interval of times or rates with the allowance added."""
        if not self.allowance:
            return interval
        return Interval(
            low=interval.low * (1 - self.allowance),
            high=interval.high * (1 + self.allowance),
            level=interval.level,
            method=f"{interval.method} and {self.allowance:.3g} for drift",
        )

    def mask(self, batch: int, variant: str = "") -> NDArray[np.bool_]:
        """Which stretches (S,) are of this batch size and variant."""
        found: NDArray[np.bool_] = (self.evidence["stretch_batch"] == batch) & (
            self.evidence["stretch_variant"] == variant
        )
        return found

    def runs(self, batch: int, variant: str = "") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The runs (R,) in milliseconds and the stretch of each."""
        return self.stretches.chosen(self.mask(batch, variant))

    @property
    def macs(self) -> int:
        """The MACs of an image, alone or as one of two, whichever are more; 0 where they are not known."""
        evidence = self.evidence
        if "cost.macs" not in evidence or evidence["cost.coverage"][0] < _KNOWN_COMPUTE:
            return 0
        return max(int(evidence["cost.macs"][0]), *(int(two) // 2 for two in evidence.get("cost.pair_macs", [0, 0])), 0)

    def roof_ms(self, batch: int) -> tuple[float, float] | None:
        """Milliseconds that a batch's MACs need at the roof's rate, and its bytes at the roof's bandwidth.

        Each weight is read once, each counted activation written and read once, the input read once. None where the
        compute or the roof is not known.
        """
        evidence = self.evidence
        known = "roof" in evidence and "cost.macs" in evidence and evidence["cost.coverage"][0] >= _KNOWN_COMPUTE
        if not known or not evidence["cost.macs"][0]:
            return None
        item = _ITEM_BYTES[str(evidence["dtype"][0])]
        elements = 2 * int(evidence["cost.activations"][0]) + int(evidence["input_elements"][0])
        moved = item * (int(evidence["cost.params"][0]) + batch * elements)
        macs_per_s, bytes_per_s = evidence["roof"].tolist()
        return 1e3 * batch * int(evidence["cost.macs"][0]) / macs_per_s, 1e3 * moved / bytes_per_s
