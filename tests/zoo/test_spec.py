"""Specs of TurboViTs: what they say, and one clear line for each mistake."""

from __future__ import annotations

import subprocess
import sys

import pytest

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.zoo.spec import load_spec, parse_spec, shipped

PLAIN = {"size": 32, "unit": 4, "stem": {"kernel": 4, "padding": 0}, "stages": [{"depth": 2, "width": 16, "heads": 2}]}


def stage(**keys):
    return {**PLAIN, "stages": [{**PLAIN["stages"][0], **keys}]}


def test_one_value_holds_for_all_blocks_and_the_last_of_a_list_for_the_rest():
    spec = parse_spec(
        stage(depth=4, width=[32, 16], heads=[4, 2, 1], mlp_ratio=[2, 0.5], attention=["global", "units"], pool=True),
        "mine",
    )
    assert [block.width_in for block in spec.blocks] == [32, 32, 16, 16]
    assert [block.width for block in spec.blocks] == [32, 16, 16, 16]
    assert [block.heads for block in spec.blocks] == [4, 2, 1, 1]
    assert [block.hidden for block in spec.blocks] == [64, 8, 8, 8]
    assert [block.attention for block in spec.blocks] == ["global", "units", "units", "units"]
    assert [block.pool for block in spec.blocks] == [True, False, False, False]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_spec_is_described_and_listed(name):
    assert load_spec(name).description
    assert name in zoo.names()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({**PLAIN, "stges": []}, "unknown key 'stges'; did you mean 'stages'?"),
        ({**PLAIN, "stem": {"kernal": 7}}, "unknown key 'stem.kernal'; did you mean 'kernel'?"),
        (stage(head=2), "unknown key 'stages.1.head'; did you mean 'heads'?"),
        ({key: value for key, value in PLAIN.items() if key != "size"}, "size: this key is missing"),
        (
            {**PLAIN, "size": 40},
            "size: 40 x 40 is not divisible by 16 (stem.stride 4 x unit 4); the nearest is 32 x 32",
        ),
        ({**PLAIN, "size": [32, 200]}, "the nearest is 32 x 192"),
        ({**PLAIN, "size": [32, 32, 3]}, "size: must be one number, or two: height and width"),
        ({**PLAIN, "size": 1 << 14, "unit": 1}, "size: more than 262144 tokens"),
        ({**PLAIN, "size": "224"}, "size: must be a list"),
        ({**PLAIN, "size": True}, "size.1: must be a whole number"),
        ({**PLAIN, "channels": 2}, "channels: must be 1 or 3"),
        ({**PLAIN, "classes": 1}, "classes: must be at least 2"),
        ({**PLAIN, "stem": {"padding": 0}}, "stem: kernel 7, stride 4 and padding 0 make 7 tokens of 32 pixels, not 8"),
        ({**PLAIN, "stem": {"kernel": 90}}, "make 0 tokens of 32 pixels"),
        ({**PLAIN, "stages": []}, "stages: must not be empty"),
        ({**PLAIN, "stages": 3}, "stages: must be a list of tables, each under its own heading [[stages]]"),
        ({**PLAIN, "stages": [3]}, "stages.1: must be a table"),
        (stage(heads=3), "stages.1.heads: 3 heads do not divide width 16 (block 1)"),
        (stage(width=[16, 18], heads=4), "stages.1.heads: 4 heads do not divide width 18 (block 2)"),
        (stage(width=[16, 16, 16]), "stages.1.width: 3 values for 2 blocks"),
        (stage(width=[]), "stages.1.width: must not be empty"),
        (stage(depth=0), "stages.1.depth: must be at least 1"),
        (stage(depth=-2), "stages.1.depth: must be at least 1"),
        (stage(width=-16), "stages.1.width.1: must be at least 1"),
        (stage(width=16.5), "stages.1.width.1: must be a whole number"),
        (stage(width=1 << 20), "stages.1.width.1: must be at most 16384"),
        (stage(mlp_ratio=0), "stages.1.mlp_ratio.1: must be above 0"),
        (stage(mlp_ratio=0.01), "stages.1.mlp_ratio: it leaves nothing of width 16 (block 1)"),
        (stage(attention="local"), "stages.1.attention.1: must be 'units' or 'global'"),
        (stage(pool="two"), "stages.1.pool: must be true or false"),
        (stage(depth=300), "stages: 300 blocks in all; at most 256 are possible"),
        (
            {**PLAIN, "stages": [{**PLAIN["stages"][0], "pool": True}] * 3},
            "stages: 3 of them pool, and each halves the side of a unit, but unit = 4 can be halved 2 times",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_the_next_step(content, said):
    with pytest.raises(InputError) as caught:
        parse_spec(content, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_spec_is_taken_from_a_file_and_a_missing_one_is_said(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("size = 16\nunit = 4\n[[stages]]\ndepth = 1\nwidth = 8\nheads = 1\n")
    assert load_spec(str(path)).units == 1
    assert zoo.weights(str(path)) is None
    path.write_text("size = 16\nunit = 4\n")
    for ask in (zoo.create, zoo.weights):
        with pytest.raises(InputError, match="stages: this key is missing"):
            ask(str(path))
        with pytest.raises(InputError, match=r"none\.toml: no such file"):
            ask(str(tmp_path / "none.toml"))


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match="did you mean 'turbovit_base'"):
        load_spec("turbovit_bass")


def test_a_spec_becomes_one_for_other_images_and_classes_or_says_why_not():
    spec = load_spec("turbovit_base").adapted(classes=5, channels=1, size=(96, 160))
    assert (spec.classes, spec.channels, spec.grid, spec.units) == (5, 1, (24, 40), 15)
    with pytest.raises(InputError, match="100 x 100 is not divisible by 32"):
        spec.adapted(size=(100, 100))


def test_specs_are_read_without_torch():
    code = "import sys; from efficiency360.zoo import spec; spec.load_spec('hiera_base'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False"
