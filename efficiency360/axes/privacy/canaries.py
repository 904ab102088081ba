"""What a one-run audit proves of epsilon, and whether that contradicts what is claimed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Measurement
from efficiency360.statistics import canaries, noise_audit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from efficiency360.axes.privacy.membership_seen import Seen
    from efficiency360.statistics.noise_audit import Mechanism

CONFIDENCE = 0.95
TUNING = "private fine-tuning"
_COINS = 2305
_FAIR = 4.0
"""Standard deviations from one half, beyond which coins are not believed to be fair."""


@dataclass(frozen=True)
class Proof:
    """What `right` of `guesses` right guesses about `m` canaries prove of the training called `of`.

    `bound` is the epsilon that it exceeds with 95 % confidence at `delta`, `largest` what it would be with all right.
    """

    of: str
    m: int
    guesses: int
    right: int
    delta: float
    bound: float
    largest: float
    epsilon: float | None = None

    def told(self) -> str:
        """The proof in words."""
        found = f"proves epsilon above {_down(self.bound)}" if self.bound > 0 else "proves nothing"
        return (
            f"{self.right} of {self.guesses} guesses about {self.m:,} canaries were right, which {found}"
            f" (delta {self.delta:.2g}, {CONFIDENCE:.0%} confidence; at most {_down(self.largest)} could have been"
            " proven)"
        )


def coins(m: int, index: int) -> NDArray[np.bool_]:
    """The fair coins (m,) of the `index`-th training with canaries, the same wherever they are asked for."""
    return np.random.default_rng([_COINS, index]).integers(0, 2, m).astype(bool)


def of_training(
    scores: NDArray[np.float64],
    epsilons: Sequence[float],
    delta: float,
    mechanism: Mechanism,
    sigmas: Sequence[float],
) -> list[Proof]:
    """What trainings with canaries prove, one for each epsilon and noise multiplier, from scores (E, m).

    Raises:
        AxisError: the scores do not fit, or a training is less private than it was to be.
    """
    if scores.ndim != 2 or len(scores) != len(epsilons) or not np.isfinite(scores).all():  # noqa: PLR2004 - (E, m)
        raise AxisError("the scores of the canaries do not fit the number of trainings, or are no numbers")
    proofs = []
    for index, (row, epsilon, sigma) in enumerate(zip(scores, epsilons, sigmas, strict=True)):
        proof = prove(TUNING, row, coins(len(row), index), delta, epsilon=epsilon, noise=(mechanism, sigma))
        check_claim(proof, epsilon)
        proofs.append(proof)
    return proofs


def prove(  # noqa: PLR0913 - two have defaults
    of: str,
    scores: NDArray[np.float64],
    included: NDArray[np.bool_],
    delta: float,
    *,
    epsilon: float | None = None,
    noise: tuple[Mechanism, float] | None = None,
) -> Proof:
    """Guess the canaries (m,) with the highest scores in and those with the lowest out, and count.

    Args:
        of: whose training it was, for readers.
        scores: (m,), higher where the canary looks trained on.
        included: (m,), what a fair coin of its own decided for each.
        delta: of the guarantee that is put to the test.
        epsilon: what the training was to keep, to tell several from each other.
        noise: the mechanism of the training and its noise multiplier, where they are known: then the guesses prove
            more; without it, what they prove of any training that is (epsilon, delta)-private.
    """
    m = len(scores)
    each_way = canaries.guesses_each_way(m)
    right = canaries.right_guesses(scores, included, each_way)

    def bound(right: int) -> float:
        if noise is None:
            return canaries.epsilon_bound(m, 2 * each_way, right, delta, CONFIDENCE)
        return noise_audit.epsilon_bound(*noise, m, 2 * each_way, right, delta, CONFIDENCE)

    return Proof(of, m, 2 * each_way, right, delta, bound(right), bound(2 * each_way), epsilon)


def measured(proof: Proof) -> Iterator[Measurement]:
    """The bound, and beside it the largest that the canaries could have proven."""
    params = {"confidence": CONFIDENCE, "of": proof.of}
    params |= {} if proof.epsilon is None else {"epsilon": proof.epsilon}
    for name, value in (("epsilon_lower_bound", proof.bound), ("epsilon_provable", proof.largest)):
        better = "lower" if name == "epsilon_lower_bound" else None
        yield Measurement.model_validate(
            {"name": f"privacy.{name}", "value": value, "unit": "", "better": better, "n": proof.m, "params": params}
        )


def check_claim(proof: Proof, claimed: float) -> None:
    """Refuse a claim that the audit contradicts.

    Raises:
        AxisError: naming both.
    """
    if proof.bound > claimed:
        raise AxisError(
            f"the {proof.of} claims epsilon = {claimed:g} and is not that private: {proof.told()}; do not release it as"
            " private, and look for what the accountant did not see"
        )


def of_model(seen: Seen) -> Proof | None:
    """What the model's own members and non-members prove, where the manifest says that a fair coin chose them.

    None where it does not, or where there are far more of one kind than fair coins leave.
    """
    if not seen.claim["randomised"] or not _fair(seen.member):
        return None
    attack = "calibrated" if "calibrated" in seen.scores else "loss"
    return prove("model", seen.scores[attack], seen.member, delta_of(seen.claim, int(seen.member.sum())))


def delta_of(claim: Mapping[str, Any], members: int) -> float:
    """The claimed delta, or 1 / (10 n) for n members."""
    return float(claim["delta"]) if claim["delta"] is not None else 1 / (10 * members)


def doubts(seen: Seen, proof: Proof | None) -> Iterator[Caveat]:
    """What the bound means, or why there is none."""
    claimed = seen.claim["epsilon"]
    if proof is not None:
        yield lower_bound(proof)
        if claimed is not None and claimed >= proof.largest:
            text = (
                f"The claim of epsilon = {claimed:g} was not put to the test: so many guesses could have disproven"
                f" nothing from {_down(proof.largest)} on. Give more images that fair coins chose."
            )
            yield Caveat(id="privacy.claim_out_of_reach", severity="warning", text=text)
    elif seen.claim["randomised"]:
        members, n = int(seen.member.sum()), len(seen.member)
        text = (
            f"No empirical epsilon: the manifest says that a fair coin chose the members, but {members} of {n} images"
            " are members."
        )
        yield Caveat(id="privacy.not_fair_coins", severity="warning", text=text)
    else:
        claim = f" The claimed epsilon = {claimed:g} was not put to the test." if claimed is not None else ""
        text = (
            "No empirical epsilon: it needs members that a fair coin chose ([privacy] randomised = true in the"
            f" manifest). The attacks' strength is no epsilon.{claim}"
        )
        severity = "info" if claimed is None else "warning"
        yield Caveat.model_validate({"id": "privacy.no_empirical_epsilon", "severity": severity, "text": text})


def lower_bound(proof: Proof) -> Caveat:
    """Say that a bound from below is no guarantee."""
    told = proof.told()
    text = f"Empirical epsilon of the {proof.of}: {told}. It is a lower bound; the true epsilon may be far above it."
    return Caveat(id="privacy.lower_bound", severity="info", text=text)


def _fair(member: NDArray[np.bool_]) -> bool:
    n = len(member)
    return abs(int(member.sum()) - n / 2) <= _FAIR * math.sqrt(n) / 2


def _down(epsilon: float) -> str:
    """Two decimals, rounded down: what is proven, not more."""
    return f"{np.floor(100 * epsilon) / 100:.2f}"
