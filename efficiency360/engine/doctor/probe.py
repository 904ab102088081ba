"""Imports packages and tries devices in a process of its own: `python -m efficiency360.engine.doctor.probe STEP ...`.

Answers come on standard output, a line of JSON for each step as soon as it is done, so that the parent knows which
step a dead process was at. A step is the name of a package, or `devices`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

DEVICES = "devices"
_MODULES = {
    "fairlearn": "fairlearn.metrics",
    "fvcore": "fvcore.nn",
    "nvidia-ml-py": "pynvml",
    "pillow": "PIL.Image",
    "safetensors": "safetensors.torch",
    "scikit-learn": "sklearn",
}
_DTYPES = ("float32", "bfloat16", "float16")
_SIDE = 16
_LONGEST_ERROR = 200


def package(name: str) -> dict[str, Any]:
    """`error`: why a package does not import, or empty."""
    try:
        importlib.import_module(_MODULES.get(name, name))
        if name == "torchvision":
            _try_operator()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a package raises on import is the answer
        return {"error": _one_line(error)}
    return {"error": ""}


def devices() -> dict[str, Any]:
    """The devices that torch can use, and what it was built for."""
    import torch  # noqa: PLC0415 - may be what is broken

    return {
        "devices": [_device(device) for device in _usable()],
        "cuda_build": torch.version.cuda or "",
        "cuda_error": _cuda_error(),
    }


def _try_operator() -> None:
    """A torchvision that was built for another torch lacks its operators, with some versions not before they run."""
    import torch  # noqa: PLC0415
    from torchvision.ops import nms  # noqa: PLC0415

    nms(torch.zeros(1, 4), torch.zeros(1), 0.5)


def _usable() -> Iterator[torch.device]:
    import torch  # noqa: PLC0415

    yield torch.device("cpu")
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        yield torch.device("cuda", index)
    if torch.backends.mps.is_available():
        yield torch.device("mps")


def _device(device: torch.device) -> dict[str, Any]:
    import torch  # noqa: PLC0415

    properties = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    failures = {dtype: _failure(device, getattr(torch, dtype)) for dtype in _DTYPES}
    return {
        "name": str(device),
        "label": properties.name if properties else "",
        "memory_bytes": properties.total_memory if properties else None,
        "dtypes": [dtype for dtype, failure in failures.items() if not failure],
        "error": failures["float32"],
    }


def _failure(device: torch.device, dtype: torch.dtype) -> str:
    """Why a small matrix product of ones goes wrong on the device; empty where it does not."""
    import torch  # noqa: PLC0415

    try:
        ones = torch.ones(_SIDE, _SIDE, device=device, dtype=dtype)
        right = bool((ones @ ones == _SIDE).all())
    except Exception as error:  # noqa: BLE001 - no memory, no kernel, no driver: all are the answer
        return _one_line(error)
    return "" if right else "a matrix product came out wrong"


def _cuda_error() -> str:
    import torch  # noqa: PLC0415

    if torch.version.cuda is None or torch.cuda.is_available():
        return ""
    try:
        torch.zeros(1, device="cuda")
    except Exception as error:  # noqa: BLE001 - the driver's own words
        return _one_line(error)
    return ""


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:_LONGEST_ERROR]


def main() -> None:
    """Answer each step on what standard output was at the start; what packages print goes to standard error."""
    warnings.simplefilter("ignore")
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for step in sys.argv[1:]:
            answer = devices() if step == DEVICES else package(step)
            answers.write(json.dumps({"step": step, **answer}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
