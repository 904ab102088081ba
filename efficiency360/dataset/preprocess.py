"""From an encoded image to the array a model takes: decode, resize, crop. Safe to call from threads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from efficiency360.strict import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # EPS would start Ghostscript
_MOST_PIXELS = 1 << 26
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow's convert("L")


class Preprocess(Record):
    """What happens to an image before the model sees it.

    `resize`: None keeps the image; an int is the new short side; (height, width) resizes to exactly that. Then a centre
    crop (padding with black where the image is smaller) to `size`, (height, width). `channels` is 1 (grey) or 3 (RGB).
    `mean` and `std` are in [0, 1] pixel units, one for each channel or one for all; the model's wrapper applies them.
    """

    size: tuple[int, int]
    resize: int | tuple[int, int] | None
    crop: Literal["center", "none"] = "center"
    interpolation: Interpolation = "bilinear"
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = Field(default=(0.0,), min_length=1)
    std: tuple[float, ...] = Field(default=(1.0,), min_length=1)

    def __call__(self, encoded: bytes | NDArray[np.generic]) -> NDArray[np.generic]:
        """One image as (C, H, W), uint8, or float32 in [0, 1] where the source is float.

        Raises:
            OSError, ValueError, SyntaxError: the bytes are not an image that Pillow reads.
        """
        if isinstance(encoded, bytes):
            image = _eight_bits(Image.open(io.BytesIO(encoded), formats=FORMATS))
            return self._from_image(image.convert("L" if self.channels == 1 else "RGB"))
        if encoded.dtype == np.uint8:
            return self._from_uint8(encoded)
        return self._from_float(encoded.astype(np.float32))

    def at(self, height: int, width: int) -> Preprocess:
        """The same for another size: a short side keeps its ratio to the crop, any other resize takes the new size."""
        resize: int | tuple[int, int] = (height, width)
        if isinstance(self.resize, int) and height * self.size[1] == width * self.size[0]:
            resize = round(self.resize * height / self.size[0])
        return self.model_copy(update={"size": (height, width), "resize": resize})

    def _from_uint8(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        image = Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array)  # noqa: PLR2004
        return self._from_image(image.convert("L" if self.channels == 1 else "RGB"))

    def _from_image(self, image: Image.Image) -> NDArray[np.generic]:
        array = np.asarray(self._crop(self._resized(image)))
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)  # noqa: PLR2004 - H, W

    def _from_float(self, array: NDArray[np.float32]) -> NDArray[np.generic]:
        planes = array[..., None] if array.ndim == 2 else array  # noqa: PLR2004 - H, W
        if planes.shape[-1] != self.channels:
            planes = np.repeat(planes, 3, axis=-1) if self.channels == 3 else (planes @ _GREY_WEIGHTS)[..., None]  # noqa: PLR2004
        images = [self._crop(self._resized(Image.fromarray(plane, "F"))) for plane in np.moveaxis(planes, -1, 0).copy()]
        return np.stack([np.asarray(image) for image in images]).clip(0, 1)

    def _resized(self, image: Image.Image) -> Image.Image:
        if self.resize is None:
            return image
        if isinstance(self.resize, int):
            short, long = sorted(image.size)
            other = int(self.resize * long / short)  # the rounding of torchvision.transforms.Resize
            width, height = (self.resize, other) if image.width <= image.height else (other, self.resize)
        else:
            height, width = self.resize
        if width * height > _MOST_PIXELS:
            raise ValueError(f"resizing to {height} x {width} would take too much memory")
        return image.resize((width, height), Image.Resampling[self.interpolation.upper()])

    def _crop(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        if (image.height, image.width) == (height, width):
            return image
        if self.crop == "none":
            raise ValueError(
                f"image is {image.height} x {image.width}, not {height} x {width}, and nothing may be cropped"
            )
        top, left = _margin(image.height, height), _margin(image.width, width)
        return image.crop((left, top, left + width, top + height))


def _margin(length: int, wanted: int) -> int:
    """Where a centre crop begins; below 0 where it pads. The rounding of torchvision.transforms.CenterCrop."""
    return round((length - wanted) / 2) if length > wanted else -((wanted - length) // 2)


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of 16-bit grey levels with its upper eight bits; Pillow's own `convert` would clip at 255.

    Raises:
        ValueError: grey levels without a known range (32-bit integers, floats).
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        raise ValueError(f"grey levels of mode {image.mode} have no known range")
    return image
