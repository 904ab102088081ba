"""All candidates of a search, in Optuna's journal: what one process finds the others see, and a kill loses nothing."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any, Self

from efficiency360.errors import InputError
from efficiency360.files import canonical_json
from efficiency360.search.journal import journal, locked
from efficiency360.search.optuna_draws import distributions, optuna, params
from efficiency360.search.score import overshoot
from efficiency360.search.space import key_of
from efficiency360.searched import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from efficiency360.search.score import Seen
    from efficiency360.search.space import SearchSpace

_STUDY, _CANDIDATE = "e360", "candidate"
JOURNAL = "search.journal"


class Store:
    """The storage of one search in a folder; a context manager that says this process is alive."""

    def __init__(self, folder: Path, space: SearchSpace, identity: Mapping[str, Any]) -> None:
        """Open or create it.

        Raises:
            InputError: the folder cannot be written, or holds a search with other constraints, data or strategy.
        """
        self.folder, self._space = folder, space
        self._package = optuna()
        try:
            (folder / "workers").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror}") from error
        self.worker = uuid.uuid4().hex[:12]
        self._distributions = distributions(space)
        with _kept(folder):
            self._storage = journal(folder / JOURNAL)
            with locked(folder / "begin.lock"):
                self._study = self._package.create_study(
                    study_name=_STUDY, storage=self._storage, directions=["maximize", "minimize"], load_if_exists=True
                )
                self._same(identity)

    def _same(self, identity: Mapping[str, Any]) -> None:
        before = self._study.user_attrs.get("identity")
        if before is None:
            self._study.set_user_attr("identity", dict(identity))
            return
        if where := _difference(before, dict(identity)):
            place, old, new = where
            raise InputError(
                f"{self.folder} holds a search with other constraints ({place} was {old}, now {new}); give another"
                " --out, or the constraints it was begun with"
            )

    def __enter__(self) -> Self:
        """Say that this process is alive, until it ends in whatever way, and take over from those that are not."""
        self._alive = contextlib.ExitStack()
        self._alive.enter_context(locked(self.folder / "workers" / self.worker))
        self.bury()
        return self

    def __exit__(self, *_: object) -> None:
        """Say that this process has ended."""
        self._alive.close()
        with contextlib.suppress(OSError):
            (self.folder / "workers" / self.worker).unlink()

    def remembered(self, key: str, value: float | None = None) -> float | None:
        """A number that all processes share; the first that gives it a value decides."""
        with _kept(self.folder), locked(self.folder / "begin.lock"):
            before = self._study.user_attrs.get(key)
            if before is None and value is not None:
                self._study.set_user_attr(key, value)
                return value
            return None if before is None else float(before)

    def spent(self, seconds: float, joules: float | None) -> None:
        """Note what this process has taken so far."""
        with _kept(self.folder):
            self._study.set_user_attr(f"spent:{self.worker}", [round(seconds, 1), joules])

    @property
    def all_spent(self) -> list[tuple[float, float | None]]:
        """Seconds and joules of every process that ever worked on it."""
        attributes = self._study.user_attrs
        return [(value[0], value[1]) for name, value in attributes.items() if name.startswith("spent:")]

    def candidates(self) -> list[Candidate]:
        """All candidates in their order; of those continued later only the last stands."""
        with _kept(self.folder):
            trials = self._study.get_trials(deepcopy=False)
        found: dict[str, Candidate] = {}
        for trial in trials:
            if _CANDIDATE in trial.user_attrs and trial.state.name != "FAIL":
                candidate = Candidate.model_validate(trial.user_attrs[_CANDIDATE])
                found.pop(key_of(candidate.genome), None)
                found[key_of(candidate.genome)] = candidate
        return list(found.values())

    def begin(self, candidate: Candidate) -> Candidate:
        """Enter a candidate, so that no other process takes the same; its number is given here."""
        package = self._package
        with _kept(self.folder):
            template = package.trial.create_trial(
                state=package.trial.TrialState.RUNNING,
                params=params(self._space, candidate.genome),
                distributions=self._distributions,
            )
            study_id = self._study._study_id  # noqa: SLF001 - ask cannot be told what to ask for
            trial_id = self._storage.create_new_trial(study_id, template_trial=template)
            number = self._storage.get_trial_number_from_id(trial_id)
        begun = candidate.model_copy(update={"number": number, "worker": self.worker})
        self._trial = package.trial.Trial(self._study, trial_id)
        self.note(begun)
        return begun

    def note(self, candidate: Candidate) -> None:
        """Keep what is known of the candidate that was begun last."""
        with _kept(self.folder):
            self._trial.set_user_attr(_CANDIDATE, candidate.model_dump(mode="json"))

    def end(self, candidate: Candidate, seen: Seen) -> None:
        """Keep a candidate for good."""
        states = self._package.trial.TrialState
        self.note(candidate)
        with _kept(self.folder):
            for name, value in overshoot(seen, self._space.constraints.limits).items():
                self._trial.set_constraint(name, value)
            trained = seen.accuracy is not None and seen.latency_ms is not None
            values = [seen.accuracy, seen.latency_ms] if trained else None
            self._study.tell(self._trial, values, state=states.COMPLETE if trained else states.PRUNED)

    def bury(self) -> None:
        """Give up candidates of processes that are gone; what they had reached stays for who takes them up."""
        with _kept(self.folder), locked(self.folder / "begin.lock"):
            self._bury()

    def _bury(self) -> None:
        states = self._package.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            worker = str(trial.user_attrs.get(_CANDIDATE, {}).get("worker", ""))
            if not worker or self._living(worker):
                continue
            if _CANDIDATE in trial.user_attrs:
                candidate = Candidate.model_validate(trial.user_attrs[_CANDIDATE])
                left = candidate.model_copy(update={"state": "running", "why": "its process was killed", "worker": ""})
                self._storage.set_trial_user_attr(trial._trial_id, _CANDIDATE, left.model_dump(mode="json"))  # noqa: SLF001
            self._study.tell(trial.number, state=states.PRUNED)

    def _living(self, worker: str) -> bool:
        path = self.folder / "workers" / worker
        if not path.exists():
            return False
        with locked(path, wait=False) as free:
            return not free


@contextlib.contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """A full disk in a sentence.

    Raises:
        InputError: the journal cannot be written or read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot write {folder}: {error.strerror}; all finished candidates are kept: mend that, and the same"
            " command goes on"
        ) from error


def _difference(before: Any, now: Any, place: str = "") -> tuple[str, str, str] | None:
    """The first place where two nested tables differ, and both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if found := _difference(before.get(key), now.get(key), f"{place}.{key}".strip(".")):
                return found
        return None
    old, new = canonical_json(before), canonical_json(now)
    return None if old == new else (place, old[:60], new[:60])
