"""Folders, tables and arrays -> `Dataset`: which images there are, their labels and groups. No torch here."""

from efficiency360.dataset.core import Dataset, Encoded, ImageSource, RawLabels
from efficiency360.dataset.formats import from_arrays, open_dataset
from efficiency360.dataset.labels import Labels, OtherClassesError, own_labels, resolve_labels

__all__ = [
    "Dataset",
    "Encoded",
    "ImageSource",
    "Labels",
    "OtherClassesError",
    "RawLabels",
    "from_arrays",
    "open_dataset",
    "own_labels",
    "resolve_labels",
]
