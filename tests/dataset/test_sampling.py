"""Which images are used, in which order, and what identifies them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficiency360.dataset import Dataset, RawLabels
from efficiency360.errors import InputError

proven = settings(derandomize=True, deadline=None, max_examples=50)


def labelled(*counts: int) -> Dataset:
    """Images sorted by class, as class folders give them; every field of an image holds the same number."""
    labels = [str(k) for k, count in enumerate(counts) for _ in range(count)]
    names = [f"{index:04}" for index in range(len(labels))]
    return Dataset(
        name="data",
        kind="npz",
        files=tuple(names),
        labels=RawLabels(tuple(labels), tuple(f"row {name}" for name in names)),
        columns={"number": tuple(names)},
        arrays=np.arange(len(names), dtype=np.uint8).reshape(-1, 1, 1),
    )


def drawn(data: Dataset) -> list[int]:
    return np.bincount([int(label) for label in data.labels.values]).tolist()


class TestSize:
    @proven
    @given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.data())
    def test_is_exact_and_each_class_keeps_its_share_and_at_least_one_image(self, counts, data):
        limit = data.draw(st.integers(len(counts), sum(counts)))
        sample = labelled(*counts).sample(limit, seed=3)
        kept = drawn(sample)
        assert len(sample) == sum(kept) == limit
        assert len(set(sample.files)) == limit
        assert len(kept) == len(counts)
        assert min(kept) >= 1
        ideal = np.array(counts) * (limit / sum(counts))
        if ideal.min() >= 1:
            assert np.abs(kept - ideal).max() < 1

    @proven
    @given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.data())
    def test_is_exact_where_not_every_class_can_keep_an_image(self, counts, data):
        limit = data.draw(st.integers(1, len(counts) - 1))
        sample = labelled(*counts).sample(limit, seed=3)
        assert len(set(sample.files)) == len(sample) == limit
        assert [(c.id, c.severity) for c in sample.caveats] == [("data.sampled", "warning")]
        assert "uniform, because not every class could keep an image" in sample.caveats[0].text

    def test_is_said_in_a_caveat_and_what_was_there_is_remembered(self):
        sample = labelled(30, 30).sample(10, seed=0)
        assert sample.caveats[0].text == "10 of 60 images were used: a seeded sample, stratified by label."
        assert sample.caveats[0].severity == "info"
        assert (len(sample), sample.available) == (10, 60)

    @pytest.mark.parametrize("limit", [None, 60, 1000])
    def test_is_everything_and_no_caveat_without_a_limit_below(self, limit):
        sample = labelled(30, 30).sample(limit, seed=0)
        assert sorted(sample.files) == sorted(labelled(30, 30).files)
        assert sample.caveats == ()

    def test_does_not_need_labels(self):
        data = Dataset(name="data", kind="images", files=tuple(map(str, range(50))))
        sample = data.sample(7, seed=0)
        assert len(set(sample.files)) == 7
        assert [(c.id, c.severity) for c in sample.caveats] == [("data.sampled", "info")]


class TestOrder:
    @pytest.mark.parametrize("limit", [None, 100])
    def test_does_not_give_the_labels_away(self, limit):
        labels = labelled(100, 100).sample(limit, seed=0).labels.values
        same_as_next = np.mean([a == b for a, b in pairwise(labels)])
        assert 0.35 < same_as_next < 0.65

    @pytest.mark.parametrize("limit", [None, 9, 3, 1])
    def test_follows_from_the_seed(self, limit):
        data = labelled(20, 20, 20)
        assert data.sample(limit, seed=1).files == data.sample(limit, seed=1).files
        assert data.sample(limit, seed=1).files != data.sample(limit, seed=2).files

    def test_who_knows_the_seed_and_the_number_of_images_does_not_know_the_order(self):
        orders = {labelled(*counts).sample(None, seed=0).files for counts in ((20, 20), (21, 19), (22, 18))}
        assert len(orders) == 3

    @proven
    @given(st.permutations(range(12)), st.sampled_from([None, 7, 2]))
    def test_is_the_same_however_the_source_was_sorted(self, order, limit):
        data = labelled(5, 4, 3)
        shuffled = data.take(np.array(order))
        assert shuffled.sample(limit, seed=4).files == data.sample(limit, seed=4).files

    @proven
    @given(st.integers(0, 99), st.sampled_from([None, 7, 2]))
    def test_keeps_what_belongs_to_an_image_together(self, seed, limit):
        data = labelled(5, 4, 3)
        sample = data.sample(limit, seed=seed)
        for row, name in enumerate(sample.files):
            assert sample.labels.values[row] == data.labels.values[int(name)]
            assert sample.labels.places[row] == f"row {name}"
            assert sample.columns["number"][row] == name
            assert sample.arrays[row].item() == int(name)

    def test_gives_every_image_of_a_class_the_same_chance(self):
        seen = np.zeros(20)
        for seed in range(1000):
            seen += np.bincount([int(name) for name in labelled(16, 4).sample(5, seed=seed).files], minlength=20)
        assert np.abs(seen / 1000 - 0.25).max() < 0.05


class TestFingerprint:
    def fingerprint(self, data: Dataset) -> str:
        return data.fingerprint(data.image_hashes())

    @pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [1, 0, 3, 2, 5, 4], [3, 4, 5, 0, 1, 2]])
    def test_does_not_depend_on_the_order(self, order):
        data = labelled(4, 2)
        assert self.fingerprint(data.take(np.array(order))) == self.fingerprint(data)

    def test_depends_on_every_image_name_and_label(self):
        def variant(names="ab", labels="01", pixels=(1, 2), dtype=np.uint8, shape=(2, 1, 1)) -> str:
            arrays = np.array(pixels, dtype=dtype).reshape(shape)
            raw = RawLabels(tuple(labels), ("", "")) if labels else None
            return self.fingerprint(Dataset(name="d", kind="npz", files=tuple(names), labels=raw, arrays=arrays))

        prints = [
            variant(),
            variant(names="ac"),
            variant(labels="10"),
            variant(labels=""),
            variant(pixels=(1, 3)),
            variant(pixels=(2, 1)),
            variant(dtype=np.float32),
            variant(shape=(2, 1, 1, 1)),
        ]
        assert len(set(prints)) == len(prints)

    def test_of_files_depends_on_their_bytes(self, make):
        make.image("a.png", 1)
        data = Dataset(name="d", kind="images", files=("a.png",), root=make.folder)
        before = self.fingerprint(data)
        assert self.fingerprint(data) == before
        make.image("a.png", 2)
        assert self.fingerprint(data) != before

    def test_is_in_the_record_with_the_counts_and_groups(self):
        data = labelled(4, 2).sample(3, seed=0)
        record = data.record(data.image_hashes())
        assert (record.n, record.available, record.groups) == (3, 6, ("number",))
        assert record.fingerprint == self.fingerprint(data)
        assert record.caveats == data.caveats


class TestReading:
    def test_a_range_of_images_comes_in_order(self, make):
        names = tuple(make.image(f"{index}.png", index).name for index in range(4))
        data = Dataset(name="d", kind="images", files=names, root=make.folder)
        assert data.read(1, 3) == [make.folder.joinpath(name).read_bytes() for name in names[1:3]]
        assert data.image_shape is None

    def test_a_file_that_went_away_is_no_bytes_and_no_crash(self, make):
        make.image("a.png").unlink()
        data = Dataset(name="d", kind="images", files=("a.png",), root=make.folder)
        assert data.read(0, 1) == [b""]
        assert len(data.image_hashes()) == 1

    def test_nothing_is_not_a_data_set(self):
        with pytest.raises(InputError, match="no images found"):
            Dataset(name="d", kind="images", files=())
