"""Evidence comes back from disk as it was, under the key it was saved with and no other."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from efficiency360.engine.store import EvidenceStore
from efficiency360.errors import InputError

KEY = "a" * 64


@pytest.fixture
def store(tmp_path):
    return EvidenceStore(tmp_path / "evidence")


def same(one: dict, other: dict) -> bool:
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == np.ascontiguousarray(other[name]).tobytes()
        for name in one
    )


def test_arrays_of_all_kinds_come_back_as_they_were(store):
    evidence = {
        "logits": np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32),
        "readable": np.array([True, False]),
        "names": np.array(["cat", "ねこ", "", "\N{PILE OF POO}", "a\nb"]),
        "no names": np.array([], dtype=np.str_),
        "empty": np.zeros((0, 7), np.int64),
        "scalar": np.array(3.5),
        "word": np.array("text"),
        "turned": np.arange(6).reshape(2, 3).T,
        "big endian": np.arange(3, dtype=">i8"),
        "not finite": np.array([np.nan, np.inf]),
    }
    store.save("accuracy", KEY, evidence, 1.25)
    found = store.find("accuracy", KEY)
    assert same(found.evidence, evidence)
    assert found.seconds is None


def test_no_evidence_at_all_comes_back_too(store):
    store.save("cost", KEY, {}, 0.0)
    assert store.find("cost", KEY).evidence == {}


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    array=hnp.arrays(
        hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes() | hnp.unicode_string_dtypes(min_len=1),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_any_array_comes_back_as_it_was(tmp_path_factory, array):
    store = EvidenceStore(tmp_path_factory.getbasetemp() / "any")
    store.save("axis", KEY, {"x": array}, 0)
    assert same(store.find("axis", KEY).evidence, {"x": array})


def test_it_is_found_under_its_own_key_and_axis_only(store):
    store.save("accuracy", KEY, {"x": np.arange(3)}, 1)
    assert store.find("accuracy", KEY)
    assert store.find("accuracy", "b" * 64) is None
    assert store.find("accuracy", KEY[:-1]) is None
    assert store.find("cost", KEY) is None


def test_a_later_audit_replaces_it(store):
    store.save("accuracy", KEY, {"x": np.arange(3)}, 1)
    store.save("accuracy", "b" * 64, {"y": np.arange(2)}, 2)
    assert store.find("accuracy", KEY) is None
    assert list(store.find("accuracy", "b" * 64).evidence) == ["y"]


def test_the_artifact_names_the_file_and_its_hash(store):
    saved = store.save("accuracy", KEY, {"x": np.arange(3)}, 1).artifact
    path = store.folder.parent / saved.path
    assert (saved.path, saved.kind) == ("evidence/accuracy.npz", "evidence")
    assert saved.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert store.find("accuracy", KEY).artifact == saved


def test_the_same_evidence_gives_the_same_bytes(tmp_path):
    prints = {
        EvidenceStore(tmp_path / name).save("accuracy", KEY, {"x": np.arange(3)}, 1).artifact.sha256 for name in "ab"
    }
    assert len(prints) == 1


def test_it_is_a_plain_archive_that_numpy_opens(store):
    store.save("accuracy", KEY, {"x": np.arange(3)}, 1)
    with np.load(store.folder / "accuracy.npz", allow_pickle=False) as archive:
        assert archive["x"].tolist() == [0, 1, 2]


def test_python_objects_are_never_stored(store):
    with pytest.raises(ValueError, match=r"[Oo]bject arrays cannot be saved"):
        store.save("accuracy", KEY, {"x": np.array([{}], dtype=object)}, 1)
    assert store.find("accuracy", KEY) is None


def test_python_objects_are_never_loaded(store, tmp_path):
    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "unpickled",)

    bomb = np.empty(1, dtype=object)
    bomb[0] = Touch()
    store.folder.mkdir()
    np.savez(store.folder / "accuracy.npz", x=bomb, __key__=np.array(KEY))
    assert store.find("accuracy", KEY) is None
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + b"\0" * 18])
def test_a_file_that_is_no_archive_is_not_evidence(store, content):
    store.folder.mkdir()
    store.folder.joinpath("accuracy.npz").write_bytes(content)
    assert store.find("accuracy", KEY) is None


def test_a_single_array_is_not_evidence(store):
    store.folder.mkdir()
    with store.folder.joinpath("accuracy.npz").open("wb") as file:
        np.save(file, np.arange(3))
    assert store.find("accuracy", KEY) is None


def test_damage_is_never_a_crash_and_never_other_evidence(store):
    evidence = {"x": np.arange(10.0), "names": np.array(["cat", "ねこ"])}
    store.save("accuracy", KEY, evidence, 1)
    path, rng = store.folder / "accuracy.npz", random.Random(0)  # noqa: S311 - which byte breaks
    whole = path.read_bytes()
    for _ in range(300):
        broken = bytearray(whole)
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
        path.write_bytes(broken[: rng.choice([len(whole), rng.randrange(len(whole))])])
        found = store.find("accuracy", KEY)
        if found is not None:
            assert all(np.array_equal(found.evidence[name], evidence[name]) for name in found.evidence)


def test_a_member_with_a_wrong_checksum_is_not_evidence(store):
    store.save("accuracy", KEY, {"x": np.zeros(1000)}, 1)
    path = store.folder / "accuracy.npz"
    content = path.read_bytes().replace(b"\0" * 500, b"\1" * 500, 1)
    assert zipfile.is_zipfile(io.BytesIO(content))
    path.write_bytes(content)
    assert store.find("accuracy", KEY) is None


def test_a_folder_that_cannot_be_written_gives_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot write"):
        EvidenceStore(tmp_path / "file" / "evidence").save("accuracy", KEY, {"x": np.arange(3)}, 1)
