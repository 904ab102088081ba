"""What is on disk is what is audited, and every mistake in it is one line with its place."""

from __future__ import annotations

import os
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from efficiency360.dataset import open_dataset, resolve_labels
from efficiency360.errors import InputError


def complaint(source: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        open_dataset(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestClassFolders:
    def test_each_folder_is_a_class_and_its_name_the_label(self, make):
        for name in ("dog/b.png", "cat/a.png", "cat/deep/er/c.JPG"):
            make.image(name)
        data = open_dataset(make.folder)
        assert data.kind == "class folders"
        assert dict(zip(data.files, data.labels.values, strict=True)) == {
            "cat/a.png": "cat",
            "cat/deep/er/c.JPG": "cat",
            "dog/b.png": "dog",
        }

    def test_ten_does_not_come_before_two(self, make):
        for name in range(11):
            make.image(f"{name}/{name}.png")
        data = open_dataset(make.folder)
        labels = resolve_labels(data, num_classes=11, names=None)
        assert {int(Path(file).stem) for file in data.files} == set(range(11))
        assert [int(Path(file).stem) for file in data.files] == labels.classes.tolist()
        assert labels.caveats == ()

    def test_names_of_folders_are_looked_up_in_the_class_list_of_the_model(self, make):
        for name in ("cat", "dog", "emu"):
            make.image(f"{name}/1.png")
        labels = resolve_labels(open_dataset(make.folder), num_classes=4, names=("emu", "fox", "dog", "cat"))
        assert labels.classes.tolist() == [3, 2, 0]

    def test_what_is_hidden_or_no_image_is_left_out(self, make):
        for name in ("cat/a.png", "cat/._a.png", ".cache/b.png"):
            make.image(name)
        make.folder.joinpath("cat", "notes.txt").write_text("x")
        make.folder.joinpath("cat", "folder.png").mkdir()
        assert open_dataset(make.folder).files == ("cat/a.png",)

    def test_a_flat_folder_has_no_labels(self, make):
        make.image("b.png")
        make.image("a.png")
        data = open_dataset(make.folder)
        assert (data.files, data.labels, data.kind) == (("a.png", "b.png"), None, "images without labels")

    def test_an_empty_folder_is_refused_with_what_to_give(self, tmp_path):
        assert "no images found; give class folders, a folder with metadata.csv, or an .npz" in complaint(tmp_path)

    def test_a_name_that_is_not_utf_8_is_refused(self, make):
        path = make.image("cat/a.png")
        os.rename(path, os.fsencode(path.parent) + b"/\xff.png")  # noqa: PTH104 - a name that a str cannot hold
        assert r"'cat/\udcff.png' is not UTF-8 text; rename it" in complaint(make.folder)

    def test_the_working_folder_has_a_name_too(self, make, monkeypatch):
        make.image("cat/a.png")
        monkeypatch.chdir(make.folder)
        assert open_dataset(".").name == make.folder.name


class TestTable:
    def test_columns_are_file_names_labels_and_groups(self, make):
        folder = make.table("skin,file_name,label\ndark,a.png,cat\nlight,b/c.png,dog\n", "a.png", "b/c.png")
        data = open_dataset(folder)
        assert data.files == ("a.png", "b/c.png")
        assert data.labels.values == ("cat", "dog")
        assert data.labels.places == ("metadata.csv line 2", "metadata.csv line 3")
        assert data.columns == {"skin": ("dark", "light")}

    def test_without_a_label_column_there_are_no_labels(self, make):
        assert open_dataset(make.table("file_name\na.png\n", "a.png")).labels is None

    @pytest.mark.parametrize(
        "content",
        [
            "\ufefffile_name,label\na.png,cat\n",
            "file_name,label\r\na.png,cat\r\n",
            "file_name,label\ra.png,cat",
            "file_name, label\na.png, cat\n",
            '"file_name","label"\n"a.png","cat"\n\n',
        ],
    )
    def test_byte_order_marks_line_endings_quotes_and_spaces_do_not_matter(self, make, content):
        data = open_dataset(make.table(content, "a.png"))
        assert (data.files, data.labels.values, data.columns) == (("a.png",), ("cat",), {})

    def test_a_quoted_field_may_span_lines_and_later_places_stay_right(self, make):
        rows = 'file_name,label,note\na.png,cat,"one\ntwo, ""three"""\nb.png,dog,x\n'
        data = open_dataset(make.table(rows, "a.png", "b.png"))
        assert data.columns["note"] == ('one\ntwo, "three"', "x")
        assert data.labels.places[1] == "metadata.csv line 4"

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "metadata.csv line 1: no header"),
            ("\nfile_name,label\na.png,cat\n", "metadata.csv line 1: no header"),
            ("file_name,label\n", "metadata.csv: no rows; an audit needs at least one image"),
            ("filename,label\na.png,cat\n", "no column 'file_name'; did you mean 'filename'?"),
            ("file_name,label,label\na.png,cat,cat\n", "two columns have the same name"),
            ("file_name,label\na.png,cat\nb.png\n", "metadata.csv line 3: not 2 fields as in the header"),
            ("file_name,label\na.png,cat,x\n", "metadata.csv line 2: not 2 fields as in the header"),
            (
                "file_name,label\na.png,cat\na.png,dog\n",
                "metadata.csv line 3: a second row for a.png (first on line 2)",
            ),
            ("file_name,label\na.png,cat\n./a.png,cat\n", "metadata.csv line 3: a second row for ./a.png"),
            ("file_name,label\na.png,cat\ngone.png,cat\n", "metadata.csv line 3: no image"),
            ("file_name,label\n.,cat\n", "metadata.csv line 2: no image"),
            (f"file_name,label\n{'a' * 5000}.png,cat\n", "metadata.csv line 2: no image"),
            ("file_name,label\n,cat\n", "metadata.csv line 2: file_name '' must be a path below"),
            ("file_name,label\na.png,cat\n../a.png,cat\n", "line 3: file_name '../a.png' must be a path below"),
            ("file_name,label\nb/../../a.png,cat\n", "line 2: file_name 'b/../../a.png' must be a path below"),
            ("file_name,label\n/etc/hostname,cat\n", "line 2: file_name '/etc/hostname' must be a path below"),
            ('file_name,label\na.png,cat\n"b.png,dog\n', "line 3: in the row that begins here: unexpected end of data"),
            (b"file_name,label\na.png,cat\nb.png,\xe9t\xe9\n", "metadata.csv line 3: not UTF-8 text; save the table"),
            ("file_name,label\na.png,cat\n".encode("utf-16"), "metadata.csv line 1: not UTF-8 text"),
        ],
    )
    def test_a_mistake_is_named_with_its_line(self, make, content, said):
        assert said in complaint(make.table(content, "a.png", "b.png"))

    def test_a_table_outranks_class_folders(self, make):
        folder = make.table("file_name,label\ncat/a.png,dog\n", "cat/a.png", "cat/b.png")
        assert open_dataset(folder).labels.values == ("dog",)


class TestArchive:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)

    def test_it_holds_images_labels_and_groups(self, make):
        data = open_dataset(make.npz(images=self.images, labels=[3, 0], sex=np.array(["f", "m"]), other=np.zeros(5)))
        assert np.array_equal(data.arrays, self.images)
        assert (data.labels.values, data.columns) == (("3", "0"), {"sex": ("f", "m")})
        assert data.image_shape == (3, 4, 5)

    @pytest.mark.parametrize(
        ("labels", "values"),
        [(np.array([True, False]), ("1", "0")), (np.array(["b", "é"]), ("b", "é")), (np.uint8([1, 2]), ("1", "2"))],
    )
    def test_labels_may_be_integers_truth_values_or_text(self, make, labels, values):
        assert open_dataset(make.npz(images=self.images, labels=labels)).labels.values == values

    @pytest.mark.parametrize(
        ("shape", "brought_to", "channels"),
        [
            ((2, 4, 5), (2, 4, 5), 1),
            ((2, 4, 5, 1), (2, 4, 5, 1), 1),
            ((2, 4, 5, 3), (2, 4, 5, 3), 3),
            ((2, 3, 4, 5), (2, 4, 5, 3), 3),
            ((2, 1, 4, 5), (2, 4, 5, 1), 1),
            ((2, 3, 5, 3), (2, 3, 5, 3), 3),
        ],
    )
    def test_channels_may_come_first_or_last(self, make, shape, brought_to, channels):
        data = open_dataset(make.npz(images=np.zeros(shape, np.uint8)))
        assert data.arrays.shape == brought_to
        assert data.image_shape[0] == channels

    def test_moving_channels_moves_the_right_axis(self, make):
        data = open_dataset(make.npz(images=np.moveaxis(self.images, -1, 1)))
        assert np.array_equal(data.arrays, self.images)

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
    def test_floats_between_zero_and_one_become_float32(self, make, dtype):
        data = open_dataset(make.npz(images=np.array([[[0.0, 0.5, 1.0]]], dtype=dtype)))
        assert data.arrays.dtype == np.float32
        assert data.arrays.ravel().tolist() == [0, 0.5, 1]

    @pytest.mark.parametrize(
        ("arrays", "said"),
        [
            ({"image": images}, "no array 'images'; did you mean 'image'?"),
            ({"images": images[0, 0, 0]}, "images have shape (3,)"),
            ({"images": np.zeros((2, 4, 5, 2), np.uint8)}, "images have shape (2, 4, 5, 2); expected (N, H, W)"),
            ({"images": np.zeros((1, 2, 4, 5, 3), np.uint8)}, "images have shape (1, 2, 4, 5, 3)"),
            ({"images": np.uint8(3)}, "images have shape ()"),
            ({"images": images.astype(np.int64)}, "images are int64; expected uint8, or float in [0, 1]"),
            ({"images": images > 3}, "images are bool"),
            ({"images": images.astype(float)}, "float images must be finite and in [0, 1]; divide by 255"),
            ({"images": np.full((1, 2, 2), -0.01)}, "float images must be finite and in [0, 1]"),
            ({"images": np.full((1, 2, 2), 1.01)}, "float images must be finite and in [0, 1]"),
            ({"images": np.array([[[0.5, np.nan]]])}, "float images must be finite and in [0, 1]"),
            ({"images": images, "labels": [1, 2, 3]}, "labels have shape (3,), not (2,) as the images need"),
            ({"images": images, "labels": [[1], [2]]}, "labels have shape (2, 1)"),
            ({"images": images, "labels": 1}, "labels have shape ()"),
            ({"images": images, "labels": [0.0, 1.0]}, "labels are float64, not integers or text"),
            ({"images": images[:0]}, "no images found"),
        ],
    )
    def test_what_it_cannot_be_is_refused(self, make, arrays, said):
        assert said in complaint(make.npz(**arrays))

    @pytest.mark.parametrize("name", ["images", "labels", "group"])
    def test_python_objects_are_refused_without_unpickling_them(self, make, name):
        witness = make.folder / "unpickled"
        bomb = np.empty(2, dtype=object)
        bomb[:] = [_Touch(witness)] * 2
        assert "Object arrays cannot be loaded" in complaint(make.npz(**{"images": self.images, name: bomb}))
        assert not witness.exists()

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", pickle.dumps({"images": 1})])
    def test_a_file_that_is_no_archive_is_refused(self, tmp_path, content):
        (tmp_path / "x.npz").write_bytes(content)
        assert "not a readable .npz of plain arrays" in complaint(tmp_path / "x.npz")

    def test_a_single_array_under_the_wrong_name_is_refused(self, tmp_path):
        with (tmp_path / "x.npz").open("wb") as file:
            np.save(file, self.images)
        assert "a single array, not an archive" in complaint(tmp_path / "x.npz")

    def test_members_that_are_no_arrays_are_left_out(self, make):
        path = make.npz(images=self.images)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("readme.txt", "hello")
        assert open_dataset(path).columns == {}

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_damage_anywhere_is_one_line_or_harmless(self, tmp_path, save):
        save(tmp_path / "whole.npz", images=self.images, labels=np.array(["a", "b"]))
        whole, rng = (tmp_path / "whole.npz").read_bytes(), random.Random(0)  # noqa: S311 - which byte breaks
        for _ in range(250):
            broken = bytearray(whole)
            broken[rng.randrange(len(broken))] = rng.randrange(256)
            (tmp_path / "x.npz").write_bytes(broken[: rng.choice([len(whole), rng.randrange(len(whole))])])
            try:
                open_dataset(tmp_path / "x.npz")
            except InputError:
                continue


class _Touch:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_the_digits_come_with_the_project():
    data = open_dataset("digits")
    assert (len(data), data.image_shape) == (548, (1, 8, 8))
    assert set(data.labels.values) == set("0123456789")


def test_a_folder_called_digits_outranks_the_name(make, monkeypatch):
    make.image("digits/cat/a.png")
    monkeypatch.chdir(make.folder)
    assert open_dataset("digits").files == ("cat/a.png",)


def test_a_table_in_another_format_is_not_passed_over(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"")
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1")
    assert "metadata.parquet: a table is read from metadata.csv only" in complaint(tmp_path)
    assert "give the folder that holds the images and their table" in complaint(tmp_path / "metadata.parquet")


def test_what_is_not_there_or_no_data_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert "give a folder, an .npz file, or the name 'digits'" in complaint(tmp_path / "nowhere")
    assert "notes.txt is neither a folder nor an .npz file" in complaint(tmp_path / "notes.txt")
