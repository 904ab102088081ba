"""Small data sets on disk."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path


class Make:
    """Writes images and tables below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def image(self, name: str, grey: int = 128) -> Path:
        """A small PNG of one grey level."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3), grey).save(path, "PNG")
        return path

    def table(self, content: str | bytes, *images: str) -> Path:
        """A folder with metadata.csv and these images."""
        for index, name in enumerate(images):
            self.image(name, index)
        self.folder.joinpath("metadata.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.folder

    def npz(self, **arrays: object) -> Path:
        """An archive of arrays."""
        path = self.folder / "data.npz"
        np.savez(path, **arrays)
        return path

    @staticmethod
    def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
        """The bytes of an image file."""
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes images and tables below an empty folder."""
    return Make(tmp_path)
