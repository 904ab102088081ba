"""The comparison of efficient vision transformers: its arithmetic, and the kept page is what its turns make of it."""

from __future__ import annotations

import json
import runpy
from dataclasses import asdict

import pytest


@pytest.fixture(scope="module")
def script(request):
    return runpy.run_path(str(request.config.rootpath / "benchmarks" / "efficient_vits.py"))


@pytest.fixture
def found(script):
    """Eleven processes: the first model takes 10 ms, the others 25, and a second pass of batches is faster."""
    models = [asdict(model) for model in script["MODELS"]]
    counts = [{"params": 10_000_000 * (at + 1), "macs": 2_000_000_000, "coverage": 1.0} for at in range(len(models))]
    single = [[10.0] * 4, *([25.0] * 4 for _ in models[1:])]
    batches = {str(batch): [[50.0 * batch, 20.0 * batch]] * len(models) for batch in script["BATCHES"]}
    rounds = [{"turns": {"1": single, **(batches if at < 3 else {})}, "share": 0.99} for at in range(11)]
    versions = {"torch": "2", "timm": "1"}
    place = {"cpu": "<b>a processor</b>", "platform": "Linux", "versions": versions, "started_at": "2026"}
    return {"environment": place, "models": models, "counts": counts, "rounds": rounds}


def test_a_ratio_says_how_much_longer_a_model_takes_than_the_first(script, found):
    rows = script["rows"](found)
    assert rows[0]["ratio"] is None
    assert [row["ratio"].ratio for row in rows[1:]] == pytest.approx([2.5] * 8)
    assert [row["ms"] for row in rows] == [10.0, *[25.0] * 8]


def test_one_slow_process_moves_the_ratio_and_widens_the_interval(script, found):
    slow = json.loads(json.dumps(found))
    slow["rounds"][4]["turns"]["1"][1] = [50.0] * 4
    ratio = script["rows"](slow)[1]["ratio"]
    assert ratio.ratio == pytest.approx(2.5 * 2 ** (1 / 11))
    assert ratio.interval.low == pytest.approx(2.5)
    assert ratio.interval.high > 2.6


def test_throughput_is_of_the_faster_pass_and_the_best_batch_is_marked(script, found):
    rows = script["rows"](found)
    assert rows[0]["speeds"] == pytest.approx({1: 100, 4: 50, 8: 50, 16: 50})
    assert (rows[0]["best"], rows[1]["best"]) == (1, 4)


def test_the_claims_stand_beside_what_was_measured_and_what_was_not(script, found):
    here = [one["here"] for one in script["claims"](script["rows"](found))]
    assert here == ["2.00", "1.00", "2.500 [2.500, 2.500]", "2.00", "not measured"]


def test_every_published_accuracy_names_where_it_stands(script):
    known = [model for model in script["MODELS"] if model.top1 is not None]
    assert len(known) == 8
    assert all(model.source and model.link.count("/") == 1 for model in known)


def test_the_page_shows_every_model_and_takes_no_text_for_markup(script, found):
    page = script["page"](found)
    assert all(f">{model['name']}<" in page for model in found["models"])
    assert "&lt;b&gt;a processor" in page
    assert "http" not in page.replace("https://github.com/", "").replace("https://arxiv.org/", "").replace(
        "http-equiv", ""
    )


@pytest.fixture
def kept(root):
    folder = root / "reports" / "efficient-vits"
    if not (folder / "measured.json").is_file():
        pytest.skip("no comparison is kept: python benchmarks/efficient_vits.py reports/efficient-vits")
    return folder


def test_the_kept_page_is_rendered_anew_byte_for_byte(script, kept):
    found = json.loads((kept / "measured.json").read_text())
    assert script["page"](found).encode() == (kept / "index.html").read_bytes(), "benchmarks/efficient_vits.py --page"


def test_kept_counts_are_those_that_others_publish(script, kept):
    by_name = {row["name"]: row for row in script["rows"](json.loads((kept / "measured.json").read_text()))}
    millions = {name: row["params"] / 1e6 for name, row in by_name.items()}
    for name, published in {"FasterViT-0": 31.4, "MobileViTv2-2.0": 18.4, "Hiera-T": 27.9, "DeiT-S": 22.1}.items():
        assert millions[name] == pytest.approx(published, abs=0.06)
    assert by_name["Swin-T"]["macs"] / 1e9 == pytest.approx(4.5, abs=0.05)
    assert by_name["Hiera-T"]["macs"] / 1e9 == pytest.approx(4.91, abs=0.01)
    assert all(row["coverage"] == 1 for row in by_name.values())
