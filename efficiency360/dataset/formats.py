"""Reading a data set from disk: class folders, a folder with metadata.csv, a flat folder, an .npz, the digits."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np

from efficiency360.arrays import load_arrays
from efficiency360.dataset.core import Dataset, RawLabels
from efficiency360.dataset.digits import load_digits
from efficiency360.dataset.members import SPLIT, is_split, trained_on
from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.spec import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_LIKE_LABEL = frozenset({"label", "labels", "class", "target"})
IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_TABLES = (".csv", ".tsv", ".parquet", ".feather", ".json", ".jsonl", ".xlsx", ".xls")
_ARRAY_DIMS = (3, 4)
_DIGITS: dict[str, Literal["train", "test"]] = {"digits": "test", "digits-train": "train"}
SHIPPED = frozenset(_DIGITS)
"""Names of the data sets that need no path."""


def open_dataset(source: str | Path) -> Dataset:
    """Open a data set by path, or the embedded `digits` by name.

    A folder with `metadata.csv` is a table (columns file_name and label; all others are groups); a folder of folders
    holds one class a folder; folders train/ and test/ with class folders are one data set with the column `split`; a
    flat folder of images has no labels; an `.npz` holds `images` and, if known, `labels`. `digits` are the images that
    the demo model never saw, `digits-train` those that it was trained on.

    Raises:
        InputError: there is no such data, or a mistake in it, with the place and the next step.
    """
    path = Path(source)
    if path.is_dir():
        return _open_table(path) if (path / "metadata.csv").exists() else _open_folder(path)
    if path.is_file():
        if path.suffix == ".npz":
            return _open_npz(path)
        raise InputError(f"{path} is neither a folder nor an .npz file; {_instead(path)}")
    if str(source) in _DIGITS:
        return _open_digits(_DIGITS[str(source)])
    raise InputError(f"no data at {path}; give a folder, an .npz file, or the name 'digits'")


def _instead(path: Path) -> str:
    """What to give instead of a file that is no data."""
    if path.suffix.lower() in _TABLES:
        return "give the folder that holds the images and their table, saved as metadata.csv"
    return "give one of these"


def _open_digits(part: Literal["train", "test"]) -> Dataset:
    split = load_digits(part)
    names = tuple(f"digit {index:04}" for index in range(len(split.labels)))
    labels = RawLabels(tuple(str(label) for label in split.labels), names)
    return Dataset(name=f"digits ({part} part)", kind="arrays", files=names, labels=labels, arrays=split.images)


def _open_folder(root: Path) -> Dataset:
    """Class folders, or a flat folder of unlabelled images."""
    classes = _folders(root)
    if is_split(folder.name for folder in classes) and all(_folders(folder) for folder in classes):
        return _open_split(root, classes)
    if len(classes) < 2:  # noqa: PLR2004 - no classes, but what a table beside the images may tell
        _refuse_other_table(root)
    files = [(image, folder.name) for folder in classes for image in _images_below(folder)]
    if files:
        names = tuple(_relative(image, root) for image, _ in files)
        labels = RawLabels(tuple(label for _, label in files), tuple(f"folder {label}" for _, label in files))
        caveats = tuple(_ignored(root, len(files)))
        return Dataset(name=_name(root), kind="class folders", files=names, labels=labels, root=root, caveats=caveats)
    names = tuple(_relative(image, root) for image in _images_below(root))
    return Dataset(name=_name(root), kind="images without labels", files=names, root=root)


def _refuse_other_table(root: Path) -> None:
    for suffix in _TABLES:
        if (table := root / f"metadata{suffix}").is_file():
            raise InputError(f"{table}: a table is read from metadata.csv only; save it as that, in the same folder")


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _open_split(root: Path, parts: list[Path]) -> Dataset:
    """Class folders in each of the folders train, test and perhaps validation."""
    found = [
        (image, part.name, folder.name)
        for part in parts
        for folder in _folders(part)
        for image in _images_below(folder)
    ]
    places = tuple(f"folder {part}/{label}" for _, part, label in found)
    columns = {SPLIT: tuple(part for _, part, _ in found)}
    return Dataset(
        name=_name(root),
        kind="class folders in train and test",
        files=tuple(_relative(image, root) for image, _, _ in found),
        labels=RawLabels(tuple(label for _, _, label in found), places),
        columns=columns,
        root=root,
        caveats=(*_ignored(root, len(found)), *trained_on(columns)),
    )


def _images_below(folder: Path) -> list[Path]:
    """Images at any depth; hidden files, such as the `._a.jpg` that macOS leaves, are none."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def _ignored(root: Path, taken: int) -> Iterator[Caveat]:
    """Say how many files in class folders were passed over because their names are not those of images."""
    everything = [path for path in root.glob("*/**/*") if path.is_file() and not path.name.startswith(".")]
    others = [path for path in everything if path.suffix.lower() not in IMAGE_SUFFIXES]
    if others and len(everything) > taken:
        named = ", ".join(path.relative_to(root).as_posix() for path in sorted(others)[:5])
        text = f"{len(others)} files in the class folders were passed over: not named as images ({named})."
        yield Caveat(id="data.passed_over", severity="warning", text=text)


def _relative(image: Path, root: Path) -> str:
    name = image.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{root}: the file name {name!r} is not UTF-8 text; rename it") from None
    return name


def _name(root: Path) -> str:
    return root.absolute().name or str(root)


def _open_table(root: Path) -> Dataset:
    table = root / "metadata.csv"
    rows, lines, header = _read_csv(table)
    _check_header(table, header)
    if "file_name" not in header:
        raise InputError(f"{table}: no column 'file_name'{suggest('file_name', header)}")
    files = tuple(row["file_name"] for row in rows)
    _check_files(root, table, files, lines)
    places = tuple(f"metadata.csv line {line}" for line in lines)
    labels = RawLabels(tuple(row["label"] for row in rows), places) if "label" in header else None
    columns = {key: tuple(row[key] for row in rows) for key in header if key not in {"file_name", "label"}}
    caveats = tuple(trained_on(columns))
    return Dataset(
        name=_name(root), kind="metadata.csv", files=files, labels=labels, columns=columns, root=root, caveats=caveats
    )


def _check_header(table: Path, header: list[str]) -> None:
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise InputError(f"{table}: the columns are separated by {name}; save the table with commas")
    if "label" not in header and (like := [name for name in header if name.lower() in _LIKE_LABEL]):
        raise InputError(f"{table}: no column 'label'; rename '{like[0]}' to 'label' if it holds the classes")


def _read_csv(table: Path) -> tuple[list[dict[str, str]], list[int], list[str]]:
    """Rows, the line each ends on, and the header of a UTF-8 csv."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = table.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(f"{table} line {line}: not UTF-8 text; save the table as UTF-8") from error
    except OSError as error:
        raise InputError(f"{table}: {error.strerror}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    try:
        header = list(reader.fieldnames or [])
        if not header:
            raise InputError(f"{table} line 1: no header; it names the columns, such as file_name,label")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"{table} line {reader.line_num}: not {len(header)} fields as in the header")
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{table} line {reader.line_num + 1}: in the row that begins here: {error}") from error
    if len(set(header)) < len(header):
        raise InputError(f"{table}: two columns have the same name")
    if not rows:
        raise InputError(f"{table}: no rows; an audit needs at least one image")
    return rows, lines, header


def _check_files(root: Path, table: Path, files: tuple[str, ...], lines: list[int]) -> None:
    seen: dict[str, int] = {}
    for name, line in zip(files, lines, strict=True):
        pure = PurePosixPath(name)
        if not name or pure.is_absolute() or ".." in pure.parts:
            raise InputError(f"{table} line {line}: file_name '{name}' must be a path below {root}")
        if (first := seen.setdefault(pure.as_posix(), line)) != line:
            raise InputError(f"{table} line {line}: a second row for {name} (first on line {first}); keep one")
        if not os.path.isfile(root / name):  # noqa: PTH113 - Path.is_file raises for a name that is too long
            raise InputError(f"{table} line {line}: no image {root / name}; remove the row or add the file")


def _open_npz(path: Path) -> Dataset:
    """`images` (N, H, W), (N, H, W, C) or (N, C, H, W), uint8 or float in [0, 1]; `labels` (N,) integers or text."""
    try:
        with path.open("rb") as file:
            arrays = load_arrays(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable .npz of plain arrays ({error})") from error
    if "images" not in arrays:
        raise InputError(f"{path}: no array 'images'{suggest('images', arrays)}")
    data = from_arrays(arrays.pop("images"), arrays.pop("labels", None), name=path.stem)
    columns = {key: tuple(map(str, column.tolist())) for key, column in arrays.items() if column.shape == (len(data),)}
    return replace(data, kind="npz", columns=columns, caveats=(*data.caveats, *trained_on(columns)))


def from_arrays(
    images: NDArray[np.generic], labels: NDArray[np.generic] | None = None, *, name: str = "arrays"
) -> Dataset:
    """A data set in memory.

    Args:
        images: (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3, uint8 or float in [0, 1].
        labels: (N,) class indices or names; None where they are not known.
        name: how the scorecard calls it.

    Raises:
        InputError: another shape, type or range.
    """
    images = _channels_last(images, name)
    n = len(images)
    if labels is not None and labels.shape != (n,):
        raise InputError(f"{name}: labels have shape {labels.shape}, not ({n},) as the images need")
    files = tuple(f"image {index:06}" for index in range(n))
    places = tuple(f"{name} row {index}" for index in range(n))
    raw = None if labels is None else RawLabels(tuple(_as_text(labels, name)), places)
    return Dataset(name=name, kind="arrays", files=files, labels=raw, arrays=images)


def _as_text(labels: np.ndarray, name: str) -> list[str]:
    if labels.dtype.kind not in "iubU":
        raise InputError(f"{name}: labels are {labels.dtype}, not integers or text")
    return [str(int(label)) if labels.dtype.kind == "b" else str(label) for label in labels.tolist()]


def _channels_last(images: np.ndarray, name: str) -> np.ndarray:
    """Bring images to (N, H, W) or (N, H, W, C), uint8 or float32 in [0, 1]."""
    channels = (1, 3)
    if images.ndim == _ARRAY_DIMS[1] and images.shape[-1] not in channels and images.shape[1] in channels:
        images = np.moveaxis(images, 1, -1)
    if images.ndim not in _ARRAY_DIMS or (images.ndim == _ARRAY_DIMS[1] and images.shape[-1] not in channels):
        raise InputError(
            f"{name}: images have shape {images.shape}; expected (N, H, W), (N, H, W, 1 or 3) or (N, 1 or 3, H, W)"
        )
    if 0 in images.shape[1:]:
        raise InputError(f"{name}: images have shape {images.shape}, which holds no pixels")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(f"{name}: images are {images.dtype}; expected uint8, or float in [0, 1]")
    if images.size and not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
        raise InputError(f"{name}: float images must be finite and in [0, 1]; divide by 255 or save uint8")
    return images.astype(np.float32)
