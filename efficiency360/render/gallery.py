"""The front page of kept reports: one row a report, and accuracy against latency where both are known.

What it shows is decided here; what it says is in `templates/report.<language>.toml`, under `gallery`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING
from urllib.parse import quote

from efficiency360.records import FRAMEWORK_AXES
from efficiency360.render import html
from efficiency360.render.caveats import shared, standing_open, warnings
from efficiency360.render.charts.scatter import Scatter, Spot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from efficiency360.records import Better, Caveat, DatasetRecord, Measurement, Param, Scorecard
    from efficiency360.render.caveats import Shared

_FEWEST = 2
_SLOWEST_MS = 1e9


@dataclass(frozen=True)
class Column:
    """A headline measurement: the first of its name with at least these params, or the `best` of them."""

    id: str
    name: str
    better: Better
    params: Mapping[str, Param]
    best: bool = False

    @property
    def axis(self) -> str:
        """The axis that measures it."""
        return self.name.partition(".")[0]

    def find(self, card: Scorecard) -> Measurement | None:
        """The measurement in a scorecard; None where it was not measured."""
        axis = card.axis(self.axis)
        found = [
            measurement
            for measurement in (axis.measurements if axis else ())
            if measurement.name == self.name and self.params.items() <= measurement.params.items()
        ]
        if not found:
            return None
        return max(found, key=attrgetter("value")) if self.best else found[0]


COLUMNS = (
    Column("params", "cost.params", "lower", {}),
    Column("macs", "cost.macs", "lower", {}),
    Column("weights", "cost.weights_bytes", "lower", {}),
    Column("p50", "speed.latency_ms", "lower", {"stat": "p50", "batch": 1}),
    Column("p95", "speed.latency_ms", "lower", {"stat": "p95", "batch": 1}),
    Column("throughput", "speed.throughput", "higher", {}, best=True),
    Column("memory", "speed.peak_memory_bytes", "lower", {"scope": "process", "batch": 1}),
    Column("top1", "accuracy.top1", "higher", {}),
    Column("top5", "accuracy.top5", "higher", {}),
    Column("ece", "uncertainty.ece", "lower", {"binning": "equal_mass"}),
    Column("ood", "uncertainty.ood_auroc", "higher", {"against": "noise"}),
)
"""What the table compares, in its order; columns of one axis stand together."""
_AXES = {axis: tuple(columns) for axis, columns in groupby(COLUMNS, key=attrgetter("axis"))}


@dataclass(frozen=True)
class Machine:
    """Where and how speed was measured: speeds compare only where all of it is the same. `dtype` may be empty."""

    host: str
    cpu: str
    device: str
    threads: int
    dtype: str


@dataclass(frozen=True)
class Row:
    """One report. `cells` go by the ids of `COLUMNS`, None where not measured; `href` is relative to the page."""

    folder: str
    href: str
    card: Scorecard
    cells: Mapping[str, Measurement | None]
    machine: Machine

    @property
    def measured(self) -> int:
        """How many of the framework's axes have numbers."""
        return sum(axis.status == "measured" and axis.id in FRAMEWORK_AXES for axis in self.card.axes)

    @property
    def timed(self) -> bool:
        """Whether the table has a speed of it."""
        return any(self.cells[column.id] for column in _AXES["speed"])

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What a reader must know before trusting the row; mere remarks are left to the report."""
        return warnings(self.card)

    @property
    def critical(self) -> int:
        """How many of its caveats nobody may miss."""
        return sum(caveat.severity == "critical" for caveat in self.caveats)


@dataclass(frozen=True)
class Group:
    """Reports on the same data that have both accuracy and latency, and their figure with its points in this order.

    `hosts` says whether the latencies come from several machines, `settings` whether from several ways to run on one.
    """

    data: DatasetRecord
    rows: tuple[Row, ...]
    figure: Scatter
    hosts: bool
    settings: bool


@dataclass(frozen=True)
class Gallery:
    """The whole page. `hosts` are the machines in the order of the rows, to number them by."""

    rows: tuple[Row, ...]
    hosts: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """In what the reports differ, so that they must not be compared in it."""
        cards = [row.card for row in self.rows]
        differing = {
            "hosts": len(self.hosts) > 1,
            "settings": _run_differently(self.rows),
            "data": _differ(card.dataset.fingerprint for card in cards if card.dataset),
            "audits": _differ(card.audit.fingerprint for card in cards),
        }
        return tuple(note for note, differs in differing.items() if differs)

    @property
    def caveats(self) -> Shared:
        """Every caveat once, the critical first, with the names of the models that it is about."""
        return shared((row.card.subject.name, row.caveats) for row in self.rows)

    @property
    def shown(self) -> int:
        """How many caveats stand open."""
        return standing_open(self.caveats)


def render(cards: Mapping[str, Scorecard]) -> str:
    """The front page as a whole HTML document; the same scorecards give the same bytes.

    Args:
        cards: scorecards by the names of their folders, which hold a `report.html` each; shown in sorted order.
    """
    rows = tuple(_row(folder, cards[folder]) for folder in sorted(cards))
    hosts = tuple(dict.fromkeys(row.machine.host for row in rows))
    page = Gallery(rows, hosts, tuple(_groups(rows, hosts)))
    return html.fill("gallery.html.j2", page=page, axes=_AXES, universe=len(FRAMEWORK_AXES))


def _row(folder: str, card: Scorecard) -> Row:
    cells = {column.id: column.find(card) for column in COLUMNS}
    href = f"{quote(folder, safe='', errors='surrogateescape')}/report.html"
    return Row(folder, href, card, cells, _machine(card, cells))


def _machine(card: Scorecard, cells: Mapping[str, Measurement | None]) -> Machine:
    """As the timings themselves say it; where they do not, as the audit does."""
    place = card.environment
    timed = [found for found in cells.values() if found and found.name.startswith("speed.")]
    said = {key: value for found in reversed(timed) for key, value in found.params.items()}
    threads = said.get("threads")
    return Machine(
        host=str(said.get("host", place.host)),
        cpu=place.cpu,
        device=place.device,
        threads=threads if isinstance(threads, int) else place.threads,
        dtype=str(said.get("dtype", "")),
    )


def _groups(rows: Sequence[Row], hosts: Sequence[str]) -> Iterator[Group]:
    """A figure for each data set with at least two reports to compare."""
    sets: dict[str, list[tuple[DatasetRecord, Row]]] = {}
    for row in rows:
        if row.card.dataset and _spot(row):
            sets.setdefault(row.card.dataset.fingerprint, []).append((row.card.dataset, row))
    for members in sets.values():
        if len(members) >= _FEWEST:
            yield _group(members[0][0], tuple(row for _, row in members), hosts)


def _group(data: DatasetRecord, rows: tuple[Row, ...], hosts: Sequence[str]) -> Group:
    """The figure of one data set; where there are several machines, a second line of text numbers them."""
    several = _differ(row.machine.host for row in rows)
    numbers = [hosts.index(row.machine.host) + 1 if several else None for row in rows]
    spots = [spot for row, number in zip(rows, numbers, strict=True) if (spot := _spot(row, number))]
    return Group(data, rows, Scatter(tuple(spots)), hosts=several, settings=_run_differently(rows))


def _spot(row: Row, host: int | None = None) -> Spot | None:
    """The row's place in a figure; None where it lacks one of the numbers, or has it in another unit."""
    latency, top1 = row.cells["p50"], row.cells["top1"]
    if not latency or not top1 or (latency.unit, top1.unit) != ("ms", "proportion"):
        return None
    slowest = latency.interval.high if latency.interval else latency.value
    if latency.value < 0 or max(latency.value, slowest) > _SLOWEST_MS:
        return None
    return Spot(latency, top1, row.card.subject.name, host)


def _run_differently(rows: Iterable[Row]) -> bool:
    """Whether speed was measured on one machine in several ways."""
    machines = {row.machine for row in rows if row.timed}
    return len(machines) > len({machine.host for machine in machines})


def _differ(values: Iterable[object]) -> bool:
    return len(set(values)) > 1
