"""The figures of transparency: curves agree with their table, maps with the evidence, and what is missing is said."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from html import unescape

import numpy as np
import pytest
from PIL import Image

from efficiency360.files import sha256_bytes
from efficiency360.records import Artifact, AxisRecord, Measurement, Series
from efficiency360.render import figures, html
from efficiency360.render.explanations import laid_over

EVIDENCE, IMAGES = "evidence/transparency.npz", "evidence/data.images.npz"
N = 5
COLUMNS = {
    "changed": [0.0, 0.5, 1.0],
    "deletion_grad_cam": [0.9, 0.2, 0.1],
    "insertion_grad_cam": [0.1, 0.8, 0.9],
    "deletion_random": [0.9, 0.5, 0.1],
    "insertion_random": [0.1, 0.5, 0.9],
}


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def evidence(channels=3):
    rng = np.random.default_rng(0)
    return {
        "methods": np.array(["grad_cam", "<b>odd</b>"]),
        "explained": np.arange(N),
        "outputs": np.eye(2, dtype=np.float32)[np.arange(N) % 2],
        "maps": rng.normal(size=(N, 2, 4, 4)),
        "shown": np.array([0, 1]),
        "shown_images": rng.integers(0, 256, (2, channels, 8, 8), dtype=np.uint8),
    }


@pytest.fixture
def page(card_of, tmp_path):
    """The report of an audit with this evidence, as text."""

    def make(arrays=None, columns=COLUMNS, *, images=True, write=(EVIDENCE, IMAGES), damage=b""):
        about = np.array(json.dumps({"names": ["cat", "<i>dog</i>"]}))
        files = {
            EVIDENCE: npz(**(evidence() if arrays is None else arrays)),
            IMAGES: npz(classes=np.zeros(N, np.int64), about=about),
        }
        kinds = dict(zip(files, ("evidence", "images"), strict=True))
        artifacts = {
            name: Artifact(path=name, sha256=sha256_bytes(data), kind=kinds[name]) for name, data in files.items()
        }
        for name in write:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(files[name] + damage)
        number = Measurement(name="transparency.random_auc", value=0.5, unit="proportion", n=N)
        series = Series.model_validate({"name": "transparency.curves", "title": "Curves", "columns": columns})
        record = AxisRecord(
            id="transparency",
            version=1,
            status="measured",
            measurements=(number,),
            series=(series,),
            artifacts=(artifacts[EVIDENCE],),
        )
        card = card_of((record,))
        if card.dataset:
            data = card.dataset.model_copy(update={"artifacts": (artifacts[IMAGES],)})
            card = card.model_copy(update={"dataset": data})
        return html.render(card, figures.read(card, tmp_path, images=images))

    return make


def pictures(text):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return [np.asarray(Image.open(io.BytesIO(b64decode(one)))) for one in found]


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_stands_beside_its_maps(page, channels):
    arrays = evidence(channels)
    found = pictures(page(arrays))
    assert len(found) == 2 * 3
    assert np.array_equal(found[0].reshape(8, 8, -1), arrays["shown_images"][0].transpose(1, 2, 0))
    expected = laid_over(arrays["shown_images"][1] / 255, arrays["maps"][1, 1])
    assert np.abs(found[5] / 255 - expected.transpose(1, 2, 0)).max() <= 1 / 255


def test_what_speaks_for_the_class_is_warm_and_what_speaks_against_it_cold():
    found = laid_over(np.full((1, 8, 8), 0.5), np.array([[1.0, 0.0], [0.0, -1.0]]))
    assert found[0, 0, 0] > found[2, 0, 0] + 0.3
    assert found[2, -1, -1] > found[0, -1, -1] + 0.3
    assert found.min() >= 0
    assert found.max() <= 1


def test_a_map_that_is_0_leaves_the_image_grey():
    found = laid_over(np.random.default_rng(0).uniform(size=(3, 6, 6)), np.zeros((2, 2)))
    assert np.allclose(found, found[:1])


def test_answers_are_told_with_the_names_of_classes_escaped(page):
    text = page()
    assert "<i>dog</i>" not in text
    assert "<b>odd</b>" not in text
    assert "<i>dog</i>" in unescape(text)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": False}, "left out with the images, as asked"),
        ({"write": (IMAGES,)}, f"{EVIDENCE} is not there"),
        ({"damage": b"x"}, "its hash differs"),
        ({"arrays": {k: v for k, v in evidence().items() if k != "shown"}}, "no map to show"),
        ({"arrays": {**evidence(), "maps": np.ones((N, 1, 4, 4))}}, "makes no sense"),
        ({"arrays": {**evidence(), "shown": np.array([0, N])}}, "makes no sense"),
        ({"arrays": {**evidence(), "shown_images": np.zeros((2, 2, 8, 8))}}, "makes no sense"),
        ({"arrays": {k: v for k, v in evidence().items() if k != "outputs"}}, "makes no sense"),
    ],
)
def test_without_maps_the_page_says_why(page, given, said):
    text = page(**given)
    assert said in unescape(text)
    assert "data:image/png" not in text


def test_the_page_draws_both_kinds_of_curves_and_says_where_they_lead(page):
    text = page()
    kinds = re.findall(r'<svg class="chart faith"[^>]*aria-label="([^"]*)"', text)
    assert kinds == ["Deletion", "Insertion"]
    assert "grad cam: from 90.0 to 10.0 %" in unescape(text)


def test_a_table_that_is_no_curve_is_not_drawn(page):
    assert 'class="panels"' not in page(columns={**COLUMNS, "changed": [0.0, 0.0, 1.0]})


def test_the_same_evidence_gives_the_same_bytes(page):
    assert page() == page()
