"""Optuna's tree-structured Parzen estimator as a source of candidates; Optuna is imported on use."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.search.score import feasible, overshoot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.search.score import Seen
    from efficiency360.search.space import Genome, SearchSpace

_STARTUP = 8


def optuna() -> Any:
    """The package, quiet.

    Raises:
        InputError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import optuna as package  # noqa: PLC0415 - only searches need it
    except ImportError as error:
        raise InputError("a search needs Optuna: pip install 'efficiency360[search]'") from error
    package.logging.set_verbosity(package.logging.ERROR)
    return package


def distributions(space: SearchSpace) -> dict[str, Any]:
    """The free genes as Optuna has them: numbers keep their order, by place among the choices."""
    package = optuna()
    return {
        gene: package.distributions.CategoricalDistribution(values)
        if isinstance(values[0], str | bool)
        else package.distributions.IntDistribution(0, len(values) - 1)
        for gene, values in space.free.items()
    }


def params(space: SearchSpace, genome: Genome) -> dict[str, Any]:
    """A genome as Optuna has it."""
    return {
        gene: genome[gene] if isinstance(values[0], str | bool) else values.index(genome[gene])
        for gene, values in space.free.items()
    }


class Draws:
    """Draws from a study in memory that is told all that is seen: two objectives, accuracy up and latency down.

    Source: Watanabe, Tree-Structured Parzen Estimator, 2023; Ozaki et al., Multiobjective TPE, 2022. Candidates that
    miss a limit are told as such, trained or not.
    """

    def __init__(self, space: SearchSpace, seed: int) -> None:
        package = optuna()
        sampler = package.samplers.TPESampler(
            seed=seed, multivariate=True, n_startup_trials=_STARTUP, constant_liar=False
        )
        self._package, self._space = package, space
        self._distributions = distributions(space)
        self._study = package.create_study(sampler=sampler, directions=["maximize", "minimize"])
        self._told: set[str] = set()

    def learn(self, seen: Sequence[Seen]) -> None:
        """Tell what is new and decided: trained, or over a limit; what another process is still at is told later."""
        for one in seen:
            done = one.accuracy is not None and one.latency_ms is not None
            if one.key in self._told or not (done or not feasible(one, self._space.constraints.limits)):
                continue
            self._told.add(one.key)
            trial = self._package.trial.create_trial(
                state=self._package.trial.TrialState.COMPLETE if done else self._package.trial.TrialState.PRUNED,
                values=[one.accuracy, math.log(one.latency_ms or 1.0)] if done else None,
                params=params(self._space, one.genome),
                distributions=self._distributions,
                constraints=overshoot(one, self._space.constraints.limits),
            )
            self._study.add_trial(trial)

    def draw(self) -> Genome:
        """A candidate; it may be one that was seen."""
        trial = self._study.ask(self._distributions)
        drawn = trial.params
        self._study.tell(trial, state=self._package.trial.TrialState.FAIL)
        return self._space.completed(
            {
                gene: drawn[gene] if isinstance(values[0], str | bool) else values[drawn[gene]]
                for gene, values in self._space.free.items()
            }
        )
