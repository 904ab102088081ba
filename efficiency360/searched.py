"""What a search found, as `search.json` holds it: typed, versioned, enough to draw its report without anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from efficiency360.errors import InputError
from efficiency360.files import is_there
from efficiency360.records import Interval
from efficiency360.strict import Record, first_mistake

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1
State = Literal["running", "rejected", "stopped", "trained"]


class Rung(Record):
    """A candidate after some epochs: its accuracy on the n images to choose by, of which so many are right.

    Accuracy is the share that is right, or where classes are to weigh alike the mean of their shares.
    """

    epochs: int
    accuracy: float
    right: int
    n: int
    seconds: float


class Latency(Record):
    """One image at a time, in milliseconds, as it was; `relative` to the pacemaker that ran in between."""

    p50_ms: float
    p95_ms: float
    p95: Interval | None = None
    relative: float
    runs: int


class Candidate(Record):
    """A model that was looked at: who proposed it and why, what the probes said, how training went, and how it ended.

    `rejected` missed a limit before training, `stopped` was left behind on a rung, `trained` came to the last one.
    """

    number: int
    genome: dict[str, int | float | str | bool]
    origin: str
    reason: str = ""
    state: State = "running"
    why: str = ""
    macs: int
    params: int
    memory_bytes: int
    predicted_ms: float | None = None
    latency_ms: float | None = None
    latency: Latency | None = None
    proxies: dict[str, float] = Field(default_factory=dict)
    rungs: tuple[Rung, ...] = ()
    judged: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    """Of each class of the images to be judged on: how many are right, of how many; only after the last rung."""
    seconds: float = 0.0
    worker: str = ""

    @property
    def name(self) -> str:
        """How files and the report call it."""
        return f"m{self.number:03d}"


class StageShape(Record):
    """A stage as it is drawn: tokens on entering and leaving, and its share of the multiply-adds, 0 to 1."""

    depth: int
    width: int
    heads: int
    mlp_ratio: float
    attention: str
    pool: bool
    tokens_in: int
    tokens: int
    units: int
    share: float


class Shape(Record):
    """An architecture as it is drawn."""

    size: tuple[int, int]
    channels: int
    patch: int
    unit: int
    classes: int
    stem_share: float
    stages: tuple[StageShape, ...]


class FrontModel(Record):
    """A model of the front: measured again at the end, beside the others, and judged on images kept for that."""

    number: int
    netscore: float
    accuracy: float
    judged: float
    judged_interval: Interval
    latency: Latency
    p95_bound_ms: float | None
    """Upper end of the 95th percentile's interval, with 5 % allowed for drift."""
    shape: Shape
    chosen: bool = False


class Left(Record):
    """A model that was on the front until its latency was measured again."""

    number: int
    p95_bound_ms: float


class Correlation(Record):
    """Spearman's rank correlation of a score with trained accuracy."""

    score: str
    rho: float
    interval: Interval | None
    n: int


class Price(Record):
    """What a limit did: candidates that missed it, that missed it alone, and the best accuracy expected among these."""

    limit: str
    value: float
    missed: int
    alone: int
    expected: float | None = None
    deviation: float | None = None


class Neighbour(Record):
    """A model one gene away from one of the front, and why it is not there."""

    of: int
    gene: str
    change: str
    why: str
    number: int | None = None


class Cost(Record):
    """What the search took, all processes together; energy where the machine has a meter."""

    minutes: float
    training_minutes: float
    processes: int
    energy_j: float | None = None
    energy_missing: str = ""


class Machine(Record):
    """Where it ran."""

    cpu: str
    processors: int
    threads: int
    versions: dict[str, str]


class Searched(Record):
    """A whole search. `constraints` is the file as it was understood."""

    schema_version: int = SCHEMA_VERSION
    title: str
    strategy: str
    constraints: dict[str, object]
    fingerprint: str
    data: str
    data_fingerprint: str
    classes: tuple[str, ...]
    images: tuple[int, int, int]
    """How many to learn from, to choose by, to be judged on."""
    balanced: bool = False
    """Whether accuracy is the mean over classes."""
    guessing: float = 0.0
    """The accuracy that always answering with the most frequent class would reach on the images to be judged on."""
    together: tuple[str, ...] = ()
    """Columns: images that share a value in one of them are in one part."""
    machine: Machine
    cost: Cost
    candidates: tuple[Candidate, ...]
    front: tuple[FrontModel, ...]
    left: tuple[Left, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    latency_errors: tuple[float, ...] = ()
    """Of each latency that was predicted before it was measured: predicted over measured, less 1."""
    importance: dict[str, dict[str, float]] = Field(default_factory=dict)
    prices: tuple[Price, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    untried: int = 0
    nearest: str = ""
    """Where no model met all limits: which binds, and the nearest point that could be met."""


def search_file(path: Path) -> Path | None:
    """The `search.json` that a user names by its file or by the folder of a search; None where it is something else."""
    file = path / "search.json" if is_there(path) and path.is_dir() and not is_there(path / "scorecard.json") else path
    return file if file.name == "search.json" and is_there(file) else None


def read_searched(file: Path) -> Searched:
    """What a search found, from its file.

    Raises:
        InputError: it cannot be read, or is no search's result of this version.
    """
    try:
        return Searched.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give the folder of a search") from error
    except ValidationError as error:
        raise InputError(f"{file} is not a search's result: {first_mistake(error)}") from error
