"""A model that ONNX Runtime runs, behind a module: torch hands images in and gets logits out. Worker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime  # type: ignore[import-untyped]

_QUIET = 4
_TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(double)": torch.float64}


class OnnxRuntimeModule(nn.Module):
    """Runs an ONNX file on the processor with as many threads as torch has; without gradients.

    `dtype` is what it takes images in. `model` is the file, or its content; `output` the name of the output that is
    wanted. It cannot be copied, and so not be turned into another type, layout or compiled.
    """

    def __init__(self, model: Path | bytes, output: str) -> None:
        super().__init__()
        self._model, self._output = model, output
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}
        entry = self._session().get_inputs()[0]
        self._input, self.dtype = entry.name, _TYPES[entry.type]

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float -> the output, as the file has it."""
        if images.dtype not in (torch.float32, self.dtype):
            raise TypeError(f"the ONNX model takes {self.dtype}, not {images.dtype}")
        given = images.detach().to(self.dtype).contiguous().numpy()
        (answer,) = self._session().run([self._output], {self._input: given})
        return torch.from_numpy(answer)

    def __deepcopy__(self, memo: object) -> NoReturn:
        """Refuse: every variant of a model begins with a copy."""
        raise RuntimeError("ONNX Runtime runs this model as it was exported, in no other type, layout or way")

    def _session(self) -> onnxruntime.InferenceSession:
        """The session for torch's present number of threads."""
        threads = torch.get_num_threads()
        if threads not in self._sessions:
            self._sessions[threads] = _open(self._model, threads)
        return self._sessions[threads]


def _open(model: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415 - optional

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source: Any = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
