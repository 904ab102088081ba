"""Every image once, in order; what cannot be read is flagged; memory does not grow with the data."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from efficiency360.dataset import Dataset
from efficiency360.dataset.preprocess import Preprocess
from efficiency360.dataset.stream import ImageStream

AS_IT_IS = Preprocess(size=(2, 2), resize=None, channels=1)


class Source:
    """Images in memory, some of them given as bytes; remembers how far it was read."""

    def __init__(self, images: list) -> None:
        self.images, self.read_up_to = images, 0

    def __len__(self) -> int:
        return len(self.images)

    def read(self, start: int, stop: int) -> list:
        assert 0 <= start < stop <= len(self)
        self.read_up_to = max(self.read_up_to, stop)
        return self.images[start:stop]


def numbered(n: int) -> list:
    return [np.full((2, 2), index, np.uint8) for index in range(n)]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 4))
def test_every_image_comes_once_and_in_order_whatever_the_batch(n, size, threads):
    batches = list(ImageStream(Source(numbered(n)), AS_IT_IS, threads).batches(size))
    assert [batch.start for batch in batches] == list(range(0, n, size))
    assert all(len(batch.images) == len(batch.readable) <= size for batch in batches)
    assert np.concatenate([batch.images[:, 0, 0, 0] for batch in batches]).tolist() == list(range(n))
    assert all(batch.readable.all() for batch in batches)


def test_images_that_cannot_be_read_are_flagged_black_and_leave_the_others_in_place(make):
    good = make.encoded(Image.new("L", (2, 2), 200))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    half = [make.encoded(noise, kind)[:1500] for kind in ("JPEG", "PNG")]
    images = [good, b"", good, b"GIF89a", *half, good]
    (batch,) = ImageStream(Source(images), AS_IT_IS).batches(10)
    assert batch.readable.tolist() == [True, False, True, False, False, False, True]
    assert batch.images[:, 0, 0, 0].tolist() == [200, 0, 200, 0, 0, 0, 200]
    assert (batch.images.shape, batch.images.dtype) == ((7, 1, 2, 2), np.uint8)


def test_a_batch_without_a_readable_image_has_the_shape_of_any_other():
    (batch,) = ImageStream(Source([b"", b"x"]), AS_IT_IS).batches(2)
    assert batch.images.shape == (2, 1, 2, 2)
    assert not batch.readable.any()


def test_floats_stay_floats():
    (batch,) = ImageStream(Source([np.full((2, 2), 0.25, np.float32)] * 2), AS_IT_IS).batches(2)
    assert batch.images.dtype == np.float32
    assert (batch.images == 0.25).all()


def test_a_file_that_went_away_is_flagged(make):
    for name in ("a.png", "b.png"):
        make.image(name)
    data = Dataset(name="d", kind="images", files=("a.png", "b.png"), root=make.folder)
    make.folder.joinpath("a.png").unlink()
    (batch,) = ImageStream(data, Preprocess(size=(3, 4), resize=None)).batches(2)
    assert batch.readable.tolist() == [False, True]


def test_a_decompression_bomb_is_flagged(make, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    bomb = make.encoded(Image.new("L", (50, 50)))
    (batch,) = ImageStream(Source([bomb]), AS_IT_IS).batches(1)
    assert batch.readable.tolist() == [False]


def test_only_a_few_batches_are_read_ahead():
    source = Source(numbered(100))
    for batch in ImageStream(source, AS_IT_IS).batches(4):
        assert source.read_up_to <= batch.start + 3 * 4
    assert source.read_up_to == 100


def test_a_source_that_fails_fails_the_pass():
    class Broken(Source):
        def read(self, start: int, stop: int) -> list:
            if start:
                raise ConnectionError("the other side closed the pipe")
            return super().read(start, stop)

    with pytest.raises(ConnectionError):
        list(ImageStream(Broken(numbered(10)), AS_IT_IS).batches(2))


def test_a_pass_that_is_given_up_leaves_no_thread_behind():
    before = threading.active_count()
    batches = ImageStream(Source(numbered(100)), AS_IT_IS).batches(1)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_two_passes_see_the_same():
    stream = ImageStream(Source(numbered(7)), AS_IT_IS)
    first, second = (np.concatenate([batch.images for batch in stream.batches(3)]) for _ in range(2))
    assert np.array_equal(first, second)
    assert len(stream) == 7
