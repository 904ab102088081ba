"""What deciding the kind of a 2 GB file costs: seconds and peak memory of a fresh process for each kind.

The limits are 3 s and 200 MB. Files are sparse, but for one state dict whose bytes are all there; their tables of
contents are whole. Linux only, for the peak. Beside them stand small files with the largest tables that are still read.

Run: python benchmarks/sniffing.py [FOLDER]   (2.1 GB of room in FOLDER, by default the system's temporary one)
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 2 * 2**30
LIMIT_S, LIMIT_BYTES = 3.0, 200e6
MEASURED = """
import re, sys, time
from pathlib import Path
began = time.perf_counter()
from efficiency360.errors import InputError
from efficiency360.subject.files.sniff import sniff
try:
    found = sniff(Path(sys.argv[1])).kind.value
except InputError as error:
    found = "refused"
seconds = time.perf_counter() - began
assert "torch" not in sys.modules
peak = 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
print(found, seconds, peak)
"""


def real_weights(path: Path) -> None:
    """A state dict of 2 GB, every byte written."""
    import torch  # noqa: PLC0415 - not in the processes that are measured

    torch.save({f"layer{number}.weight": torch.ones(2**26) for number in range(8)}, path)


def sparse_archive(members: dict[str, bytes]) -> Callable[[Path], None]:
    """A stored zip archive with small members and one weight of 2 GB that takes no room on disk."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
            weight = zipfile.ZipInfo("model/data/0")
            weight.file_size = weight.compress_size = SIZE
            weight.CRC = 0
            file = cast("BinaryIO", archive.fp)
            weight.header_offset = file.tell()
            file.write(weight.FileHeader(zip64=True))
            archive.start_dir = file.seek(SIZE, io.SEEK_CUR)
            archive.filelist.append(weight)

    return write


def grown(head: bytes) -> Callable[[Path], None]:
    """A file that begins with some bytes and goes on with 2 GB of zeros that take no room."""

    def write(path: Path) -> None:
        path.write_bytes(head)
        with path.open("r+b") as file:
            file.truncate(len(head) + SIZE)

    return write


def safetensors(tensors: int) -> Callable[[Path], None]:
    """A safetensors file with so many tensors, 2 GB together."""
    step = SIZE // tensors
    header = {
        f"layer{number}": {"dtype": "U8", "shape": [step], "data_offsets": [number * step, (number + 1) * step]}
        for number in range(tensors)
    }
    text = json.dumps(header, separators=(",", ":")).encode()

    def write(path: Path) -> None:
        path.write_bytes(struct.pack("<Q", len(text)) + text)
        with path.open("r+b") as file:
            file.truncate(8 + len(text) + tensors * step)

    return write


def onnx(nodes: int) -> Callable[[Path], None]:
    """An ONNX model with so many nodes and one initialiser of 2 GB."""

    def field(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    def write(path: Path) -> None:
        node = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu"))
        tensor = b"\x08" + varint(SIZE // 4) + b"\x10\x01" + field(8, b"w") + varint(9 << 3 | 2) + varint(SIZE)
        graph = node * nodes + field(2, b"g") + varint(5 << 3 | 2) + varint(len(tensor) + SIZE) + tensor
        grown(b"\x08\x08" + varint(7 << 3 | 2) + varint(len(graph) + SIZE) + graph)(path)

    return write


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    found = b""
    while value >= 128:  # noqa: PLR2004 - seven bits a byte
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def many_members(path: Path) -> None:
    """The most members that an archive may have."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}.")
        for number in range(2**16 - 2):
            archive.writestr(f"model/data/{number}", b"")


WEIGHTS = b"\x80\x02}X\x01\x00\x00\x00aK\x01s."
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
MODULE = b"\x80\x02ctorch.nn.modules.linear\nLinear\n)\x81."
LONGEST = b"\x80\x02" + b"}q\0]0" * 199_999 + b"}."
MANY_VALUES = b"\x80\x02(" + b"}K\1]" * 249_999 + b"t."
KINDS: dict[str, Callable[[Path], None]] = {
    "weights, all bytes there": real_weights,
    "weights": sparse_archive({"model/data.pkl": WEIGHTS}),
    "weights, old format": grown(LEGACY + WEIGHTS + b"\x80\x02]."),
    "pickled model": sparse_archive({"model/data.pkl": MODULE}),
    "pickled model, old format": grown(LEGACY + MODULE + b"\x80\x02]."),
    "TorchScript": sparse_archive({"model/data.pkl": MODULE, "model/constants.pkl": b"\x80\x02)."}),
    "torch.export": sparse_archive({"model/archive_format": b"pt2", "model/models/model.json": b"{}"}),
    "safetensors": safetensors(1),
    "safetensors, 100,000 tensors": safetensors(100_000),
    "ONNX": onnx(1),
    "ONNX, 180,000 nodes": onnx(180_000),
    "zeros": grown(b"\0"),
    "text": grown(b"Not found"),
    "zip, 65,535 members": many_members,
    "pickle, longest": grown(LEGACY + LONGEST + b"\x80\x02]."),
    "pickle, most values": grown(LEGACY + MANY_VALUES + b"\x80\x02]."),
}


def main() -> None:
    """Print what each kind costs, and its ratio to the limit."""
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    print(f"{'file':<30}{'found':<18}{'s':>7}{'of limit':>10}{'MB':>7}{'of limit':>10}")
    for name, write in KINDS.items():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            path = Path(work) / "model.pt"
            write(path)
            command = [sys.executable, "-c", MEASURED, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        found, seconds, peak = done.stdout.split()
        shares = float(seconds) / LIMIT_S, int(peak) / LIMIT_BYTES
        print(
            f"{name:<30}{found:<18}{float(seconds):>7.2f}{shares[0]:>10.2f}{int(peak) / 1e6:>7.0f}{shares[1]:>10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
