"""Manifests: what a weights file does not say about itself (architecture, preprocessing, class names)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from efficiency360.dataset.preprocess import Interpolation
from efficiency360.errors import InputError
from efficiency360.spec import read_toml, suggest
from efficiency360.strict import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ModelTable(Record):
    """`[model]`: the weights file (beside the manifest), its architecture, and how to read it."""

    file: str | None = None
    arch: str | None = None
    remap: Literal["order"] | None = None
    key: str | None = None
    output: int | str | None = None


class PreprocessTable(Record):
    """`[preprocess]`: what replaces the architecture's own preprocessing; see `dataset.preprocess.Preprocess`."""

    size: int | tuple[int, int] | None = None
    resize: int | tuple[int, int] | None = None
    crop: Literal["center", "none"] | None = None
    interpolation: Interpolation | None = None
    channels: Literal[1, 3] | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None


class LabelsTable(Record):
    """`[labels]`: class names in the order of the model's outputs."""

    names: tuple[str, ...] | None = Field(default=None, min_length=1)


class PrivacyTable(Record):
    """`[privacy]`: what is claimed of the training, to be put to the test.

    `epsilon` and `delta` are the claimed guarantee for adding or removing one image; `randomised` states that a fair
    coin of its own decided for each member and non-member whether it was trained on, which an empirical epsilon needs.
    """

    epsilon: float | None = Field(default=None, gt=0)
    delta: float | None = Field(default=None, gt=0, lt=1)
    randomised: bool = False


class Manifest(Record):
    """A whole manifest; every table and key may be left out."""

    model: ModelTable = ModelTable()
    preprocess: PreprocessTable = PreprocessTable()
    labels: LabelsTable = LabelsTable()
    privacy: PrivacyTable = PrivacyTable()


_TABLES: dict[str, type[Record]] = {
    "model": ModelTable,
    "preprocess": PreprocessTable,
    "labels": LabelsTable,
    "privacy": PrivacyTable,
}


def find_manifest(weights: Path) -> Path | None:
    """The manifest beside a model: `<stem>.toml`, else a `model.toml` that names this file or no file.

    A folder's lies beside it as `<folder>.toml` or in it as `model.toml`.
    """
    folder = weights.is_dir()
    own = weights.resolve().with_name(f"{weights.resolve().name}.toml") if folder else weights.with_suffix(".toml")
    if own.is_file():
        return own
    shared = (weights if folder else weights.parent) / "model.toml"
    if shared.is_file() and parse_manifest(read_toml(shared), str(shared)).model.file in (None, weights.name):
        return shared
    return None


def load_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: missing, not TOML, an unknown key (with a suggestion), or an impossible value.
    """
    return parse_manifest(read_toml(path), str(path))


def parse_manifest(content: Mapping[str, Any], file: str) -> Manifest:
    """Check the content of a manifest; `file` is named in errors."""
    for table, value in content.items():
        if table not in _TABLES:
            raise InputError(f"{file}: unknown table '[{table}]'{suggest(table, _TABLES)}")
        for key in value if isinstance(value, dict) else ():
            if key not in _TABLES[table].model_fields:
                raise InputError(f"{file}: unknown key '{table}.{key}'{suggest(key, _TABLES[table].model_fields)}")
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{file}: {'.'.join(map(str, first['loc'][:2]))}: {first['msg']}") from error
    _check_numbers(manifest.preprocess, file)
    return manifest


def _check_numbers(table: PreprocessTable, file: str) -> None:
    for key in ("size", "resize"):
        value = getattr(table, key)
        if value is not None and min(value if isinstance(value, tuple) else (value,)) < 1:
            raise InputError(f"{file}: preprocess.{key} must be at least 1")
    std = table.std if isinstance(table.std, tuple) else (table.std,)
    if any(value is not None and value <= 0 for value in std):
        raise InputError(f"{file}: preprocess.std must be above 0")
