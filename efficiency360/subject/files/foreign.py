"""Names for files that are no PyTorch model, so that the refusal says what the user has and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_OTHER_FRAMEWORK = (
    "which is not supported: port the weights to PyTorch and save them with"
    ' safetensors.torch.save_file(model.state_dict(), "model.safetensors")'
)
_IMAGE = "not a model: the model comes first, images go with --data"
_PACKED = "which is compressed: unpack it and give the model file in it"

_SIGNATURES = (
    (0, b"\x89HDF\r\n\x1a\n", f"an HDF5 file (such as a Keras or TensorFlow .h5), {_OTHER_FRAMEWORK}"),
    (4, b"TFL3", f"a TensorFlow Lite model, {_OTHER_FRAMEWORK}"),
    (4, b"ET12", f"an ExecuTorch program, {_OTHER_FRAMEWORK}"),
    (0, b"GGUF", f"a GGUF model, {_OTHER_FRAMEWORK}"),
    (0, b"\x08\x01\x12", f"a TensorFlow SavedModel, {_OTHER_FRAMEWORK}"),
    (0, b"\x93NUMPY", "a NumPy array (.npy), not a model: save model.state_dict() with torch.save"),
    (0, b"\x89PNG\r\n\x1a\n", f"an image (PNG), {_IMAGE}"),
    (0, b"\xff\xd8\xff", f"an image (JPEG), {_IMAGE}"),
    (0, b"GIF8", f"an image (GIF), {_IMAGE}"),
    (0, b"BM", f"an image (BMP), {_IMAGE}"),
    (0, b"II*\0", f"an image (TIFF), {_IMAGE}"),
    (0, b"MM\0*", f"an image (TIFF), {_IMAGE}"),
    (8, b"WEBP", f"an image (WebP), {_IMAGE}"),
    (4, b"ftyp", f"an image or a video (ISO media), {_IMAGE}"),
    (0, b"\x1f\x8b", f"a gzip file, {_PACKED}"),
    (0, b"BZh", f"a bzip2 file, {_PACKED}"),
    (0, b"\xfd7zXZ\0", f"an xz file, {_PACKED}"),
    (0, b"\x28\xb5\x2f\xfd", f"a Zstandard file, {_PACKED}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7-Zip file, {_PACKED}"),
    (0, b"Rar!\x1a\x07", f"a RAR file, {_PACKED}"),
    (257, b"ustar", "a tar archive: unpack it and give the model file in it"),
    (0, b"PK\5\6", "an empty zip archive; download or save it again"),
    (0, b"%PDF-", "a PDF document, not a model"),
)
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")


def name_by_start(head: bytes) -> str:
    """A clause that says what a file is, from its first bytes, when it is none of the known model files."""
    named = next((what for at, magic, what in _SIGNATURES if head[at : at + len(magic)] == magic), None)
    return (
        named
        or _name_text(head)
        or ("not a model file that e360 knows; give a safetensors file or weights saved by torch.save")
    )


def _name_text(head: bytes) -> str | None:
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the model itself; run git lfs pull"
    if head.lstrip(b"\xef\xbb\xbf\r\n\t ").lower().startswith(_HTML):
        return "a web page, not a model: the download went wrong; download it again from the file's direct link"
    text = _decode(head)
    if text is None:
        return None
    return f"a text file (it begins with {text.strip()[:40]!r}), not a model; give the weights file itself"


def _decode(head: bytes) -> str | None:
    """The start of a text file as text, None for binary; the last character may be cut."""
    for end in range(len(head), max(len(head) - 4, 0), -1):
        try:
            text = head[:end].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        return text if all(character.isprintable() or character.isspace() for character in text) else None
    return None


def name_zip(names: Collection[str]) -> str:
    """A clause that says what a zip archive is that holds no torch model."""
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz), not a model: save model.state_dict() with torch.save"
    if any(name.endswith(".weights.h5") for name in names):
        return f"a Keras model, {_OTHER_FRAMEWORK}"
    return "a zip archive without a torch model in it; unpack it and give the model file"
