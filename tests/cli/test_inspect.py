"""`e360 inspect` as a user sees it."""

from __future__ import annotations

import json
import pickle
import shlex

import pytest
import torch
from safetensors.torch import save_file
from torch import nn


def _weights(path, layers=30):
    torch.save(nn.Sequential(*(nn.Linear(4, 4) for _ in range(layers))).state_dict(), path)
    return path


def test_long_tables_are_cut_unless_all_is_asked_for_and_80_columns_are_enough(e360, tmp_path):
    _weights(tmp_path / "weights.pt")
    answer = e360("inspect", "weights.pt")
    assert answer.code == 0
    assert "60 tensors, 600 parameters" in answer.out
    assert "44 more (--all lists them)" in answer.out
    assert "29.bias" in answer.out
    assert "12.bias" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    everything = e360("inspect", "weights.pt", "--all").out
    assert all(f" {layer}.bias " in everything for layer in range(30))


def test_json_holds_everything_that_the_terminal_shows(e360, tmp_path):
    _weights(tmp_path / "weights.pt")
    found = json.loads(e360("inspect", "weights.pt", "--json").out)
    assert (found["kind"], len(found["sets"][0]["tensors"])) == ("zip_weights", 60)
    assert found["sets"][0]["tensors"][0] == {
        "name": "0.weight",
        "shape": [4, 4],
        "dtype": "float32",
        "nan": 0,
        "infinite": 0,
        "unread": "",
    }
    assert found["file_bytes"] == (tmp_path / "weights.pt").stat().st_size
    assert found["opening"]["code"] == []


def test_broken_values_are_shown_beside_the_tensor_and_summed(e360, tmp_path):
    save_file({"a": torch.tensor([1.0, torch.nan, torch.nan]), "b": torch.tensor([torch.inf])}, tmp_path / "w.pt")
    lines = e360("inspect", "w.pt").out.splitlines()
    assert any(line.split() == ["a", "3", "float32", "2", "NaN"] for line in lines)
    assert any(line.split() == ["values", "2", "NaN,", "1", "infinite"] for line in lines)


def test_the_command_that_it_ends_with_works(e360):
    shown = e360("inspect", "zoo:digits_transformer").out
    line = next(line for line in shown.splitlines() if line.startswith("  e360 audit"))
    answer = e360(*shlex.split(line)[1:], "--axes", "cost")
    assert "overall" in answer.out, answer.err


def test_code_is_named_and_not_run(e360, tmp_path):
    class Payload:
        def __reduce__(self):
            return open, (str(tmp_path / "marker"), "w")

    torch.save({"state_dict": {"a": torch.ones(1)}, "hook": Payload()}, tmp_path / "model.pt")
    answer = e360("inspect", "model.pt")
    assert answer.code == 0
    assert "may run code" in answer.out
    assert "io.open" in answer.out
    assert "--trust-code" in answer.out
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["[red]x[/red]", "a\x1b[2Jb", "a\nb", "a\u202eb", "\ud800"])
def test_names_from_the_file_reach_neither_markup_nor_terminal(e360, tmp_path, name):
    torch.save({name: torch.ones(1), "b": {name: torch.ones(1)}}, tmp_path / "model.pt")
    answer = e360("inspect", "model.pt")
    assert answer.code == 0, answer.err
    assert "[red]x[/red]" in answer.out or "red" not in name
    assert not {"\x1b", "\u202e"} & set(answer.out)
    as_json = e360("inspect", "model.pt", "--json").out
    assert as_json.isascii()
    assert len(json.loads(as_json)["sets"]) == 2


def test_what_is_damaged_or_no_model_is_refused_in_one_line(e360, tmp_path):
    (tmp_path / "model.pt").write_bytes(pickle.dumps({"a": 1})[:-2])
    answer = e360("inspect", "model.pt")
    assert answer.code == 2
    assert "damaged or cut short" in answer.complaint
    assert not answer.out
    assert "no such file" in e360("inspect", "nothing.pt").complaint


def test_help_has_an_example(e360):
    assert "e360 inspect weights.pt" in e360("inspect", "--help").out
