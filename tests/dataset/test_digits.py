from __future__ import annotations

import numpy as np
from sklearn import datasets

from efficiency360.dataset.digits import DigitsSplit, load_digits


def _contents(split: DigitsSplit) -> set[bytes]:
    return {image.tobytes() for image in split.images}


def test_no_image_is_on_both_sides() -> None:
    assert not _contents(load_digits("train")) & _contents(load_digits("test"))


def test_the_two_parts_together_are_all_of_the_digits() -> None:
    train, test = load_digits("train"), load_digits("test")
    whole = datasets.load_digits()
    ours = sorted(
        (int(label), image.astype(int).ravel().tolist())
        for split in (train, test)
        for image, label in zip(split.images, split.labels, strict=True)
    )
    theirs = sorted(
        (int(label), [round(grey * 255 / 16) for grey in image.ravel()])
        for image, label in zip(whole.images, whole.target, strict=True)
    )
    assert ours == theirs
    assert (len(train.labels), len(test.labels)) == (1249, 548)


def test_images_are_bytes_from_paper_to_ink() -> None:
    split = load_digits("test")
    assert split.images.shape == (548, 8, 8)
    assert split.images.dtype == np.uint8
    assert split.labels.dtype == np.int64
    assert (split.images.min(), split.images.max()) == (0, 255)


def test_each_part_holds_at_least_forty_of_every_digit() -> None:
    for split in (load_digits("train"), load_digits("test")):
        assert np.bincount(split.labels, minlength=10).min() >= 40
