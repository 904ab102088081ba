"""Images come out as torchvision's Resize and CenterCrop make them, and oddities are refused rather than guessed."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from pydantic import ValidationError

from efficiency360.dataset.preprocess import Preprocess


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def transforms() -> Any:
    """Torchvision's transforms; importing them takes seconds."""
    from torchvision import transforms  # noqa: PLC0415

    return transforms


class TestAgainstTorchvision:
    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
    @pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40), (33, 33), (31, 57), (9, 14)])
    def test_short_side_and_centre_crop(self, make, transforms, height, width, interpolation):
        image = Image.fromarray(noise(height, width, 3))
        mode = transforms.InterpolationMode(interpolation)
        theirs = transforms.Compose([transforms.Resize(28, mode), transforms.CenterCrop(24)])(image)
        ours = Preprocess(size=(24, 24), resize=28, interpolation=interpolation)(make.encoded(image))
        assert np.array_equal(ours, np.asarray(theirs).transpose(2, 0, 1))

    @pytest.mark.parametrize("resize", [(30, 20), (24, 24), (7, 50)])
    def test_exact_size_and_centre_crop(self, make, transforms, resize):
        image = Image.fromarray(noise(40, 60, 3))
        theirs = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop((20, 18))])(image)
        ours = Preprocess(size=(20, 18), resize=resize)(make.encoded(image))
        assert np.array_equal(ours, np.asarray(theirs).transpose(2, 0, 1))

    @pytest.mark.parametrize("width", range(1, 15))
    def test_centre_crop_and_padding_of_any_size(self, make, transforms, width):
        for height in range(1, 15):
            image = Image.fromarray(noise(height, width))
            theirs = transforms.CenterCrop((7, 8))(image)
            ours = Preprocess(size=(7, 8), resize=None, channels=1)(make.encoded(image))
            assert np.array_equal(ours[0], np.asarray(theirs))


class TestChannels:
    def test_grey_becomes_three_equal_channels(self, make):
        grey = noise(5, 6)
        for encoded in (grey, grey[..., None], make.encoded(Image.fromarray(grey))):
            out = Preprocess(size=(5, 6), resize=None)(encoded)
            assert out.shape == (3, 5, 6)
            assert all(np.array_equal(channel, grey) for channel in out)

    def test_colour_becomes_grey_by_the_weights_of_itu_601(self, make):
        colour = noise(5, 6, 3)
        expected = colour @ np.array([0.299, 0.587, 0.114])
        for encoded in (colour, make.encoded(Image.fromarray(colour))):
            out = Preprocess(size=(5, 6), resize=None, channels=1)(encoded)
            assert out.shape == (1, 5, 6)
            assert np.abs(out[0] - expected).max() <= 1
        floats = Preprocess(size=(5, 6), resize=None, channels=1)((colour / 255).astype(np.float32))
        assert np.abs(floats[0] - expected / 255).max() < 1e-5

    def test_transparency_is_dropped_and_palettes_are_looked_up(self, make):
        colour = Image.fromarray(noise(5, 6, 3)).quantize(16)
        expected = np.asarray(colour.convert("RGB")).transpose(2, 0, 1)
        preprocess = Preprocess(size=(5, 6), resize=None)
        assert np.array_equal(preprocess(make.encoded(colour)), expected)
        see_through = colour.convert("RGB")
        see_through.putalpha(0)
        assert np.array_equal(preprocess(make.encoded(see_through)), expected)


class TestArrays:
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("resize", [None, 9, (12, 10)])
    def test_bytes_of_a_file_and_an_array_give_the_same(self, make, channels, resize):
        preprocess = Preprocess(size=(8, 8), resize=resize, channels=channels)
        for array in (noise(20, 15), noise(20, 15, 3)):
            out = preprocess(array)
            assert out.dtype == np.uint8
            assert np.array_equal(out, preprocess(make.encoded(Image.fromarray(array))))

    @pytest.mark.parametrize("shape", [(20, 15), (20, 15, 1), (20, 15, 3)])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_floats_give_what_bytes_give_up_to_rounding(self, shape, channels):
        preprocess = Preprocess(size=(8, 8), resize=9, channels=channels)
        array = noise(*shape)
        out = preprocess((array / 255).astype(np.float32))
        assert (out.shape, out.dtype) == ((channels, 8, 8), np.float32)
        assert np.abs(out - preprocess(array) / 255).max() < 2 / 255

    def test_floats_stay_between_zero_and_one_where_bicubic_overshoots(self):
        edges = np.kron(np.indices((6, 6)).sum(axis=0) % 2, np.ones((4, 4))).astype(np.float32)
        out = Preprocess(size=(31, 31), resize=31, interpolation="bicubic", channels=1)(edges)
        assert (out.min(), out.max()) == (0, 1)

    def test_an_array_that_lies_otherwise_in_memory_is_read_right(self):
        array = noise(5, 6, 3)
        moved = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 0)), 0, -1)
        preprocess = Preprocess(size=(5, 6), resize=None)
        assert np.array_equal(preprocess(moved), preprocess(array))
        assert np.array_equal(preprocess(moved.astype(np.float32) / 255), preprocess(array.astype(np.float32) / 255))


class TestDeepImages:
    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_sixteen_bits_keep_their_upper_eight_instead_of_turning_white(self, make, kind, channels):
        levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
        out = Preprocess(size=(8, 8), resize=None, channels=channels)(make.encoded(Image.fromarray(levels), kind))
        assert np.array_equal(out[-1], levels >> 8)

    @pytest.mark.parametrize("dtype", [np.int32, np.float32])
    def test_levels_without_a_known_range_are_refused(self, make, dtype):
        encoded = make.encoded(Image.fromarray(noise(8, 8).astype(dtype)), "TIFF")
        with pytest.raises(ValueError, match="no known range"):
            Preprocess(size=(8, 8), resize=None)(encoded)


class TestRefusals:
    @pytest.mark.parametrize("encoded", [b"", b"\0", b"not an image", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
    def test_what_is_no_image_raises_what_the_stream_expects(self, encoded):
        with pytest.raises((OSError, ValueError, SyntaxError)):
            Preprocess(size=(8, 8), resize=8)(encoded)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
    def test_half_an_image_is_not_an_image(self, make, kind):
        encoded = make.encoded(Image.fromarray(noise(64, 64, 3)), kind)
        with pytest.raises((OSError, ValueError, SyntaxError)):
            Preprocess(size=(8, 8), resize=8)(encoded[: len(encoded) // 2])

    def test_an_image_in_the_wrong_size_is_refused_where_nothing_may_be_cropped(self, make):
        preprocess = Preprocess(size=(8, 8), resize=None, crop="none")
        assert preprocess(make.encoded(Image.fromarray(noise(8, 8, 3)))).shape == (3, 8, 8)
        with pytest.raises(ValueError, match="image is 8 x 9, not 8 x 8, and nothing may be cropped"):
            preprocess(make.encoded(Image.fromarray(noise(8, 9, 3))))

    def test_a_postscript_file_never_starts_ghostscript(self, monkeypatch):
        started = []
        monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: started.append(args))
        page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
        with pytest.raises(OSError, match="cannot identify"):
            Preprocess(size=(8, 8), resize=8)(page)
        assert started == []

    def test_an_unknown_key_is_refused(self):
        with pytest.raises(ValidationError, match="interpolate"):
            Preprocess.model_validate({"size": (8, 8), "resize": 8, "interpolate": "bilinear"})


def test_decoding_in_threads_leaves_the_warnings_of_the_process_alone(make):
    encoded = make.encoded(Image.fromarray(noise(64, 64, 3)))
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Preprocess(size=(8, 8), resize=8), [encoded] * 400))
    assert list(warnings.filters) == before
