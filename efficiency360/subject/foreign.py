"""Names for files that are no PyTorch model, so that the refusal says what the user has and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

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
_MODEL_PROTO = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_MAX_IR_VERSION = 255
_GRAPH = 7
_GRAPH_PROTO_KEYS = frozenset(number << 3 | 2 for number in (1, 2, 5, 10, 11, 12, 13, 14, 15))
_MAX_FIELDS = 10_000


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


def is_onnx(file: BinaryIO, size: int) -> bool:
    """Whether the file is an ONNX ModelProto: field 1 is `ir_version`, field 7 the graph; nothing large is read."""
    position = 0
    for count in range(_MAX_FIELDS):
        file.seek(position)
        window = file.read(32)
        key, at = _varint(window, 0)
        value, after = _varint(window, at)
        number, wire = key >> 3, key & 7
        if count == 0 and (key != 1 << 3 or not 1 <= value <= _MAX_IR_VERSION):
            return False
        if number == _GRAPH:
            return wire == 2 and window[after : after + 1] != b"" and window[after] in _GRAPH_PROTO_KEYS  # noqa: PLR2004
        if _MODEL_PROTO.get(number) != wire:
            return False
        position += after + (value if wire == 2 else 0)  # noqa: PLR2004 - wire type 2 carries `value` bytes
        if position >= size:
            return False
    return False


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """A protobuf varint and where it ends; (0, end of data) where there is none."""
    value = 0
    for index, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, start + index + 1
    return 0, len(data)
