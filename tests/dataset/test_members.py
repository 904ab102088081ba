"""Members and non-members: however they are given, and pairs of images that are nearly one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from efficiency360.dataset import from_arrays, open_dataset
from efficiency360.dataset.likeness import alike, looks
from efficiency360.dataset.members import has_members, joined, membership
from efficiency360.dataset.preprocess import Preprocess
from efficiency360.dataset.stream import ImageStream
from efficiency360.errors import InputError


def save(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)


def test_folders_train_and_test_are_one_data_set_with_a_split(tmp_path):
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            save(tmp_path / part / label / "1.png")
    data = open_dataset(tmp_path)
    assert data.files == ("test/cat/1.png", "test/dog/1.png", "train/cat/1.png", "train/dog/1.png")
    assert data.labels.values == ("cat", "dog", "cat", "dog")
    assert data.columns["split"] == ("test", "test", "train", "train")
    assert has_members(data)
    assert "2 of 4 images were trained on" in data.caveats[0].text


def test_classes_that_are_called_train_and_test_stay_classes(tmp_path):
    save(tmp_path / "train" / "1.png")
    save(tmp_path / "test" / "1.png")
    data = open_dataset(tmp_path)
    assert data.labels.values == ("test", "train")
    assert not has_members(data)


def test_validation_images_are_neither(tmp_path):
    save(tmp_path / "a.png")
    rows = ["Train", " member ", "test", "non-member", "val", ""]
    assert membership(rows).tolist() == [1, 1, 0, 0, -1, -1]


def test_a_table_marks_members_in_its_column(tmp_path):
    for name in "ab":
        save(tmp_path / f"{name}.png")
    (tmp_path / "metadata.csv").write_text("file_name,label,split\na.png,0,train\nb.png,0,test\n")
    assert has_members(open_dataset(tmp_path))
    (tmp_path / "metadata.csv").write_text("file_name,label,split\na.png,0,test\nb.png,0,test\n")
    assert not has_members(open_dataset(tmp_path))


def test_two_folders_become_one_whose_files_can_be_read(tmp_path):
    save(tmp_path / "new" / "cat" / "1.png", 1)
    save(tmp_path / "seen" / "cat" / "1.png", 2)
    both = joined(open_dataset(tmp_path / "new"), open_dataset(tmp_path / "seen"))
    assert both.files == ("new/cat/1.png", "seen/cat/1.png")
    assert both.read(0, 2) == [(tmp_path / name).read_bytes() for name in both.files]
    assert both.columns["split"] == ("test", "train")
    shuffled = both.sample(None, seed=1)
    assert dict(zip(shuffled.files, shuffled.columns["split"], strict=True)) == dict(
        zip(both.files, both.columns["split"], strict=True)
    )


def test_what_does_not_go_together_is_refused(tmp_path):
    save(tmp_path / "new" / "cat" / "1.png")
    files, arrays = open_dataset(tmp_path / "new"), from_arrays(np.zeros((2, 8, 8), np.uint8), np.zeros(2, int))
    with pytest.raises(InputError, match="give both in one form"):
        joined(files, arrays)
    with pytest.raises(InputError, match=r"\(9, 9\) uint8"):
        joined(arrays, from_arrays(np.zeros((2, 9, 9), np.uint8), np.zeros(2, int)))
    with pytest.raises(InputError, match="has no labels"):
        joined(arrays, from_arrays(np.zeros((2, 8, 8), np.uint8)))
    with pytest.raises(InputError, match="the data itself"):
        joined(files, files)


def test_the_digits_that_the_demo_was_trained_on_are_a_data_set():
    assert len(open_dataset("digits-train")) + len(open_dataset("digits")) == 1797


def photographs(shared, n):
    data = open_dataset(shared / "data/imagenet-500").take(np.arange(n))
    return [Image.open(io.BytesIO(one)).convert("RGB") for one in data.read(0, n)]


def seen(images):
    preprocess = Preprocess(size=(224, 224), resize=256)
    arrays = [preprocess(png(image)) for image in images]
    return looks(np.stack(arrays))


def png(image, **how):
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "PNG"} | how))
    return buffer.getvalue()


def test_a_photograph_saved_anew_smaller_or_brighter_looks_like_itself(shared):
    images = photographs(shared, 16)
    there = seen(images)
    changed = {
        "jpeg": [Image.open(io.BytesIO(png(image, format="JPEG", quality=40))) for image in images],
        "half": [image.resize((image.width // 2, image.height // 2)) for image in images],
        "bright": [Image.eval(image, lambda value: min(255, int(value * 1.2))) for image in images],
    }
    for name, some in changed.items():
        found = alike(seen(some), there)
        assert (found == np.arange(16)).sum() >= 15, name
        assert set(found.tolist()) <= {-1, *range(16)}


def test_no_two_photographs_of_different_things_look_alike(shared):
    stream = ImageStream(open_dataset(shared / "data/imagenet-500"), Preprocess(size=(224, 224), resize=256))
    found = np.concatenate([looks(batch.images) for batch in stream.batches(50)]).astype(np.float64)
    correlation = found @ found.T
    assert np.diag(correlation) == pytest.approx(np.ones(500), abs=0.01)
    pairs = correlation[np.triu_indices(500, 1)]
    assert len(pairs) == 124_750
    assert pairs.max() < 0.95


def test_the_nearest_is_found_across_blocks_and_nothing_looks_like_an_empty_image():
    rng = np.random.default_rng(0)
    ours = looks(rng.integers(0, 256, (5000, 1, 16, 16), dtype=np.uint8))
    rows = rng.permutation(5000)[:3000]
    assert (alike(ours[rows], ours) == rows).all()
    empty = looks(np.full((3, 3, 20, 20), 7, np.uint8))
    assert (alike(empty, np.concatenate([ours, empty])) == -1).all()


@pytest.mark.parametrize("shape", [(8, 8), (16, 16), (17, 33), (224, 100), (1, 1)])
def test_images_of_any_size_have_a_look_that_does_not_depend_on_their_type(shape):
    images = np.random.default_rng(0).integers(0, 256, (4, 3, *shape), dtype=np.uint8)
    found = looks(images)
    assert found.shape == (4, 256)
    assert np.allclose(found, looks((images / 255).astype(np.float32)), atol=2e-3)
