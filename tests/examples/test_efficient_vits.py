"""The kept comparison of efficient vision transformers is what its measurements make of it."""

from __future__ import annotations

import json
import runpy

import numpy as np
import pytest


@pytest.fixture(scope="module")
def script(request):
    return runpy.run_path(str(request.config.rootpath / "benchmarks" / "efficient_vits.py"))


@pytest.fixture
def kept(root):
    return json.loads((root / "reports" / "efficient-vits" / "measured.json").read_text())


def test_the_kept_page_is_rendered_anew_byte_for_byte(script, kept, root):
    assert script["page"](kept).encode() == (root / "reports" / "efficient-vits" / "index.html").read_bytes(), (
        "run `python benchmarks/efficient_vits.py reports/efficient-vits --page`"
    )


def test_counts_are_those_that_others_publish(script, kept):
    by_name = {row["name"]: row for row in script["rows"](kept)}
    millions = {name: row["params"] / 1e6 for name, row in by_name.items()}
    billions = {name: row["macs"] / 1e9 for name, row in by_name.items()}
    published = {"FasterViT-0": 31.4, "MobileViTv2-2.0": 18.4, "MobileViTv2-1.0": 4.9, "Hiera-T": 27.91}
    assert {name: round(millions[name], len(str(value)) - 3) for name, value in published.items()} == published
    assert billions["Swin-T"] == pytest.approx(4.5, abs=0.05)
    assert billions["Hiera-T"] == pytest.approx(4.91, abs=0.01)
    assert all(row["coverage"] == 1 for row in by_name.values())


def test_every_published_accuracy_names_where_it_stands(kept):
    known = [model for model in kept["models"] if model["top1"] is not None]
    assert len(known) == 8
    assert all(model["link"] and model["source"] for model in known)


def test_a_ratio_says_how_much_longer_a_model_takes(script, kept):
    for one in kept["rounds"]:
        one["turns"]["1"] = [[10.0] * 4, *([[25.0] * 4] * 8)]
    rows = script["rows"](kept)
    assert [row["ratio"].ratio for row in rows[1:]] == pytest.approx([2.5] * 8)
    assert rows[0]["ms"] == 10
    (latency,) = [one for one in script["claims"](rows) if "latency than" in one["claim"]]
    assert latency["here"] == "2.500 [2.500, 2.500]"


def test_throughput_is_that_of_the_faster_pass(script, kept):
    for one in kept["rounds"]:
        if "16" in one["turns"]:
            one["turns"]["16"] = [[800.0, 400.0]] * 9
    assert all(np.isclose(row["speeds"][16], 40) for row in script["rows"](kept))
