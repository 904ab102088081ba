"""The figures of robustness: they agree with the numbers, say what is missing, and believe no evidence unseen."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from efficiency360.files import sha256_bytes
from efficiency360.records import Artifact, AxisRecord, Caveat, Measurement, Scorecard, Series
from efficiency360.render import figures, html, png, report
from efficiency360.render.formats import FORMATS
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.records import RuleResult

    Cards = Callable[..., Scorecard]
    Result = Callable[..., RuleResult]

N = 200
EPS = (1 / 255, 4 / 255, 0.1)
RIGHT = (180, 150, 61, 7)
NAMES = ["cat", "dog", "<b>owl</b>"]
HOSTILE = "\"'><script>alert(1)</script>\u202ecod\x1b[31m{{ 7 * 7 }}"
CORRUPTIONS: Mapping[str, Sequence[float]] = {
    "fog": (0.85, 0.7, 0.5),
    "gaussian_noise": (0.6, 0.3, 0.1),
    "jpeg": (0.9, 0.89, 0.88),
}
EVIDENCE, IMAGES = "evidence/robustness.npz", "evidence/data.images.npz"


def curve_series(eps: Sequence[float] = EPS, right: Sequence[int] = RIGHT) -> Series:
    """As the axis makes it."""
    ends = [wilson(hits, N) for hits in right]
    columns = {
        "eps": [0.0, *(round(radius, 6) for radius in eps)],
        "accuracy": [round(hits / N, 4) for hits in right],
        "low": [round(one.low, 4) for one in ends],
        "high": [round(one.high, 4) for one in ends],
    }
    return Series.model_validate({"name": "robustness.curve", "title": "Accuracy under attack", "columns": columns})


def heat_series(rows: Mapping[str, Sequence[float]] = CORRUPTIONS, clean: float = 0.9) -> Series:
    """As the axis makes it."""
    shares = list(zip(*rows.values(), strict=True))
    columns = {"corruption": list(rows), "clean": [clean] * len(rows)}
    columns |= {f"severity_{2 * index + 1}": list(column) for index, column in enumerate(shares)}
    columns["mean"] = [round(sum(row) / len(row), 4) for row in rows.values()]
    return Series.model_validate({"name": "robustness.corruptions", "title": "Corruptions", "columns": columns})


def measurements(eps: Sequence[float] = EPS, right: Sequence[int] = RIGHT) -> tuple[Measurement, ...]:
    """Robust accuracies, as the axis makes them."""
    shared = {"unit": "proportion", "better": "higher", "n": N, "name": "robustness.adversarial_accuracy"}
    how = {"attack": "quick", "norm": "Linf"}
    return tuple(
        Measurement.model_validate(
            {**shared, "value": hits / N, "interval": wilson(hits, N), "params": {**how, "eps": round(radius, 6)}}
        )
        for radius, hits in zip(eps, right[1:], strict=True)
    )


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def pairs(k: int = 2, channels: int = 1, side: int = 8) -> dict[str, NDArray[Any]]:
    """Evidence of `k` images that fell at 4/255: every value changed by as much, up or down."""
    rng = np.random.default_rng(k)
    clean = rng.uniform(0.2, 0.8, (k, channels, side, side)).astype(np.float32)
    change = (4 / 255 * rng.choice([-1, 1], clean.shape)).astype(np.float32)
    return {
        "attacked": np.arange(N),
        "attacked_right": np.ones(N, bool),
        "attacked_fell_at": np.full(N, 1),
        "eps": np.array(EPS),
        "shown": np.arange(k),
        "shown_clean": clean,
        "shown_adversarial": clean + change,
        "shown_predicted": np.full(k, 1),
    }


@dataclass
class Audit:
    """A scorecard with a folder of evidence."""

    card: Scorecard
    folder: Path

    def page(self, *, images: bool = True) -> str:
        return html.render(self.card, figures.read(self.card, self.folder, images=images))


@pytest.fixture
def audit(card_of: Cards, tmp_path: Path) -> Callable[..., Audit]:
    """Makes an audit of robustness; `names` None keeps no labels, `write` leaves files out."""

    def make(
        arrays: dict[str, NDArray[Any]] | None = None,
        names: list[str] | None = NAMES,
        series: Sequence[Series] | None = None,
        write: Sequence[str] = (EVIDENCE, IMAGES),
    ) -> Audit:
        about = np.array(json.dumps({"names": names}))
        labels = {"classes": np.zeros(N, np.int64), "about": about} if names else {}
        files = {EVIDENCE: npz(**(pairs() if arrays is None else arrays)), IMAGES: npz(**labels)}
        artifacts = {
            path: Artifact(path=path, sha256=sha256_bytes(data), kind=kind)
            for (path, data), kind in zip(files.items(), ("evidence", "images"), strict=True)
        }
        for path in write:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(files[path])
        record = AxisRecord(
            id="robustness",
            version=1,
            status="measured",
            measurements=measurements(),
            series=tuple(series if series is not None else (curve_series(), heat_series())),
            artifacts=(artifacts[EVIDENCE],),
        )
        made = card_of((record,))
        assert made.dataset
        dataset = made.dataset.model_copy(update={"artifacts": (artifacts[IMAGES],)})
        return Audit(made.model_copy(update={"dataset": dataset}), tmp_path)

    return make


def section(page: str) -> str:
    """What the page says of robustness."""
    inside = page.partition('id="axis-robustness"')[2].partition("</section>")[0]
    assert inside
    return inside


def seen(source: str) -> str:
    """The text of a piece of a page, blanks folded."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", source)).split())


def shown(page: str) -> list[NDArray[np.uint8]]:
    """The pictures of a page, decoded by another library: clean, change and adversarial in turn."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]*)"', page)
    return [np.asarray(Image.open(io.BytesIO(b64decode(one)))) for one in found]


class TestCharts:
    def test_the_page_draws_the_curve_and_says_it(self, audit: Callable[..., Audit]) -> None:
        inside = section(audit().page())
        said = seen(inside.partition('<svg class="chart robustness"')[2].partition("</svg>")[0])
        low, high = wilson(61, N).low, wilson(61, N).high
        assert f"At radius 0.0157 (4/255) 30.5 % ({100 * low:.1f} to {100 * high:.1f} %)" in said
        assert "At radius 0 90.0 %" in said
        assert "What the attack quick left (Linf)." in seen(inside)

    def test_the_page_draws_limits_and_says_what_they_are(self, audit: Callable[..., Audit], result_of: Result) -> None:
        made = audit()
        eps = {"eps": round(EPS[1], 6)}
        rule = result_of("robust", measurement="robustness.adversarial_accuracy", limit=0.25, params=eps)
        verdict = made.card.verdict.model_copy(update={"rules": (rule,)})
        ruled = section(html.render(made.card.model_copy(update={"verdict": verdict})))
        svg = ruled.partition('<svg class="chart robustness"')[2].partition("</svg>")[0]
        assert svg.count('class="bound') == 1
        assert "at least 25.0 %" in seen(svg)
        assert "Dashed: limits of the rules." in seen(ruled)
        assert "Dashed" not in seen(section(made.page()))

    def test_a_table_that_is_no_curve_stays_a_table(self, audit: Callable[..., Audit]) -> None:
        broken = {"eps": [0.1, 0.2], "accuracy": [0.9, 0.5], "low": [0.8, 0.4], "high": [1.0, 0.6]}
        series = Series.model_validate({"name": "robustness.curve", "title": "Odd", "columns": broken})
        inside = section(audit(series=(series,)).page())
        assert '<svg class="chart' not in inside
        assert '<table class="series">' in inside.partition("<details>")[0]

    def test_the_heat_map_says_the_means_and_keeps_the_table(self, audit: Callable[..., Audit]) -> None:
        inside = section(audit().page())
        said = seen(inside.partition('<svg class="chart corruptions"')[2].partition("</svg>")[0])
        assert "gaussian noise: 33.3 % on average; fog: 68.3 % on average; jpeg: 89.0 % on average." in said
        folded = "".join(re.findall("<details>.*?</details>", inside, flags=re.DOTALL))
        assert "gaussian_noise" in folded

    def test_the_legend_explains_every_shade_in_words(self, audit: Callable[..., Audit]) -> None:
        page = audit().page()
        legend = page.partition('<p class="legend">')[2].partition("</p>")[0]
        assert re.findall(r"shade-(\d)", legend) == list("012345")
        assert "≤ 2 % ≤ 10 % ≤ 20 % ≤ 40 % ≤ 60 % more" in seen(legend)

    def test_long_tables_come_after_what_draws_them(self, audit: Callable[..., Audit]) -> None:
        made = audit()
        record = made.card.axes[0]
        same = measurements()[0].model_dump() | {"name": "robustness.corruption_accuracy"}
        many = [Measurement.model_validate(same | {"params": {"corruption": f"c{n}"}}) for n in range(20)]
        long = record.model_copy(update={"measurements": (*record.measurements, *many)})
        inside = section(html.render(made.card.model_copy(update={"axes": (long,)})))
        parts = ("Robust accuracy", 'class="chart robustness"', 'class="chart corruptions"', "20 values")
        places = [inside.index(part) for part in parts]
        assert places == sorted(places)

    def test_series_that_are_drawn_are_folded(self, audit: Callable[..., Audit]) -> None:
        inside = section(audit().page())
        assert '<table class="series">' not in re.sub(r"<details>.*?</details>", "", inside, flags=re.DOTALL)
        assert len(re.findall('<table class="series">', inside)) == 2


class TestGallery:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_pictures_are_the_evidence_to_the_nearest_of_255_steps(
        self, audit: Callable[..., Audit], channels: int
    ) -> None:
        arrays = pairs(3, channels)
        pictures = shown(audit(arrays).page())
        assert len(pictures) == 9
        for index in range(3):
            clean, change, adversarial = (one.reshape(8, 8, channels) for one in pictures[3 * index : 3 * index + 3])
            for picture, name in ((clean, "clean"), (adversarial, "adversarial")):
                wanted = arrays[f"shown_{name}"][index].transpose(1, 2, 0) * 255
                assert np.abs(picture - wanted).max() <= 0.51
            up = (arrays["shown_adversarial"] > arrays["shown_clean"])[index].transpose(1, 2, 0)
            assert (change[up] >= 254).all()
            assert (change[~up] <= 1).all()

    def test_where_nothing_changed_the_change_is_grey(self, audit: Callable[..., Audit]) -> None:
        arrays = pairs(1)
        arrays["shown_adversarial"][:, :, :4] = arrays["shown_clean"][:, :, :4]
        _, change, _ = shown(audit(arrays).page())
        assert set(change[:4].ravel().tolist()) <= {127, 128}
        assert set(change[4:].ravel().tolist()) <= {0, 1, 254, 255}

    def test_it_says_both_classes_and_how_much_was_changed(self, audit: Callable[..., Audit]) -> None:
        arrays = pairs(1)
        said = seen(section(audit(arrays).page()).partition('class="exhibit"')[2])
        assert "Clean image cat" in said
        assert "Changed image dog" in said
        assert "True class: cat" in said
        assert "\N{MULTIPLICATION SIGN} 31.9" in said
        length = np.sqrt(((arrays["shown_adversarial"] - arrays["shown_clean"]) ** 2).sum())
        assert "Misled at radius 0.0157 (4/255); largest change of a value 0.0157 (4/255)," in said
        assert f"length of the change (L2) {length:.3g}." in said

    def test_many_images_are_cut_short_and_counted(self, audit: Callable[..., Audit]) -> None:
        page = audit(pairs(11)).page()
        assert len(shown(page)) == 3 * figures.MOST
        assert f"The first 8 of 11; the others are in {EVIDENCE}." in seen(page)

    @pytest.mark.parametrize("pixels", [220, 300])
    def test_large_images_become_coarser_until_the_page_is_small(
        self, audit: Callable[..., Audit], pixels: int
    ) -> None:
        arrays = pairs(4, 3, pixels)
        page = audit(arrays).page()
        assert len(page) < 1_100_000
        size = int(re.search(r"a pixel here is the mean of (\d) x \1", seen(page))[1])  # type: ignore[index]
        assert size >= 2
        side = pixels // size
        squares = arrays["shown_clean"][0][:, : side * size, : side * size].reshape(3, side, size, side, size)
        assert np.abs(shown(page)[0] - 255 * squares.mean(axis=(2, 4)).transpose(1, 2, 0)).max() <= 0.51

    def test_names_of_classes_stay_text(self, audit: Callable[..., Audit]) -> None:
        page = audit(names=[HOSTILE, HOSTILE * 50]).page()
        assert "<script" not in page
        assert "\u202e" not in page
        assert "\x1b" not in page
        assert "49" not in seen(page.partition('class="exhibit"')[2].partition("</figure>")[0])

    def test_without_labels_classes_go_by_number(self, audit: Callable[..., Audit]) -> None:
        said = seen(section(audit(write=(EVIDENCE,)).page()))
        assert "Changed image class 1" in said
        assert f"names of the classes are missing: {IMAGES} is not there" in said
        assert "True class" not in said
        assert len(shown(audit().page())) == 6


class TestMissing:
    def test_without_its_evidence_the_page_says_which_figure_is_missing_and_why(
        self, audit: Callable[..., Audit]
    ) -> None:
        made = audit(write=())
        alone, absent = html.render(made.card), made.page()
        assert "made from the scorecard alone, without the evidence" in seen(section(alone))
        assert f"missing here: {EVIDENCE} is not there" in seen(section(absent))
        for page in (alone, absent):
            assert "<img" not in page
            assert 'class="chart robustness"' in page
            assert 'class="chart corruptions"' in page

    def test_images_are_left_out_where_asked_and_the_page_says_so(self, audit: Callable[..., Audit]) -> None:
        page = audit().page(images=False)
        assert "<img" not in page
        assert "left out, as asked" in seen(section(page))
        assert "<img" in audit().page()

    def test_evidence_with_another_hash_is_refused(self, audit: Callable[..., Audit]) -> None:
        made = audit()
        (made.folder / EVIDENCE).write_bytes(npz(**pairs(3)))
        page = made.page()
        assert "<img" not in page
        assert "is not the file that the scorecard names" in seen(section(page))

    def test_labels_with_another_hash_are_refused(self, audit: Callable[..., Audit]) -> None:
        made = audit()
        (made.folder / IMAGES).write_bytes(npz(classes=np.full(N, 2), about=np.array('{"names": ["a", "b", "c"]}')))
        said = seen(section(made.page()))
        assert "Changed image class 1" in said
        assert f"{IMAGES} is not there, or not the file that the scorecard names" in said

    def test_a_path_that_leads_out_of_the_folder_is_not_followed(self, audit: Callable[..., Audit]) -> None:
        made = audit()
        inside = made.folder / "inside"
        inside.mkdir()
        record = made.card.axes[0]
        out = record.artifacts[0].model_copy(update={"path": f"../{EVIDENCE}"})
        card = made.card.model_copy(update={"axes": (record.model_copy(update={"artifacts": (out,)}),)})
        assert figures.read(card, inside).missing == "changed"

    def test_a_scorecard_that_names_no_evidence_stands_alone(self, audit: Callable[..., Audit]) -> None:
        made = audit()
        record = made.card.axes[0].model_copy(update={"artifacts": ()})
        card = made.card.model_copy(update={"axes": (record,)})
        assert html.render(card, figures.read(card, made.folder)) == html.render(card)

    def test_an_attack_that_misled_with_no_image_has_none_to_show(self, audit: Callable[..., Audit]) -> None:
        arrays = {name: array for name, array in pairs().items() if not name.startswith("shown")}
        assert "the attack misled the model with none" in seen(section(audit(arrays).page()))

    def test_without_an_attack_no_gallery_is_missed(self, audit: Callable[..., Audit]) -> None:
        inside = section(audit(series=(heat_series(),)).page())
        assert "misled" not in inside
        assert 'class="chart corruptions"' in inside

    @pytest.mark.parametrize(
        "changed",
        [
            {"shown_clean": np.zeros((2, 1, 8, 7), np.float32)},
            {"shown_clean": np.full((2, 1, 8, 8), np.nan, np.float32)},
            {"shown_adversarial": np.full((2, 1, 8, 8), 1.5, np.float32)},
            {"shown_predicted": np.zeros(2, np.int64)},
            {"shown_predicted": np.array(["a", "b"])},
            {"shown_predicted": np.ones(3, np.int64)},
            {"shown": np.array([0, N])},
            {"shown": np.array(0)},
            {"attacked_right": np.zeros(N, bool)},
            {"attacked_fell_at": np.full(N, -1)},
            {"attacked_fell_at": np.full(N, 3)},
            {"eps": np.array(["a", "b", "c"])},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_evidence_that_contradicts_itself_is_not_shown(
        self, audit: Callable[..., Audit], changed: dict[str, NDArray[Any]]
    ) -> None:
        page = audit({**pairs(), **changed}).page()
        assert "<img" not in page
        assert f"{EVIDENCE} makes no sense" in seen(section(page))

    @pytest.mark.parametrize("gone", [name for name in pairs() if name != "shown"])
    def test_evidence_that_lacks_a_part_is_not_shown(self, audit: Callable[..., Audit], gone: str) -> None:
        made = audit({name: array for name, array in pairs().items() if name != gone})
        assert figures.read(made.card, made.folder).missing == "unreadable"


def test_the_same_evidence_gives_the_same_bytes(audit: Callable[..., Audit]) -> None:
    made = audit(pairs(2, 3, 40))
    again = Scorecard.model_validate_json(made.card.model_dump_json())
    assert made.page() == html.render(again, figures.read(again, made.folder))


def test_a_format_takes_figures_where_it_has_pictures(audit: Callable[..., Audit]) -> None:
    made = audit()
    found = figures.read(made.card, made.folder)
    assert FORMATS["html"].render(made.card, found) == report.render(made.card, found)
    assert FORMATS["csv"].render(made.card, found) == FORMATS["csv"].render(made.card)


def test_the_glossary_explains_what_robustness_measures(audit: Callable[..., Audit]) -> None:
    terms = re.findall("<dt[^>]*>(.*?)</dt>", audit().page().rpartition('id="glossary"')[2])
    assert {"Robust accuracy", "Norm and radius (eps)"} <= set(terms)
    assert "Corruption" not in terms


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (1, 30, 7), (3, 64, 64)])
def test_another_library_reads_our_pictures_back(shape: tuple[int, int, int]) -> None:
    levels_ = np.random.default_rng(0).integers(0, 256, shape)
    read = np.asarray(Image.open(io.BytesIO(png.encode(levels_ / 255))))
    assert read.reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1).tolist() == levels_.tolist()


@pytest.mark.parametrize("images", [None, True, False])
@pytest.mark.parametrize("why", ["groups", "trained on", ""])
def test_images_of_people_or_of_the_training_are_shown_to_who_asks_for_them(
    audit: Callable[..., Audit], images: bool | None, why: str
) -> None:
    made = audit()
    assert made.card.dataset is not None
    trained = Caveat(id="data.trained_on", severity="warning", text="Half of them were.")
    changed = {"groups": ("race",) if why == "groups" else (), "caveats": (trained,) if why == "trained on" else ()}
    card = made.card.model_copy(update={"dataset": made.card.dataset.model_copy(update=changed)})
    found = figures.read(card, made.folder, images=images)
    shown = images is True or (images is None and not why)
    assert bool(found.exhibits) is shown
    assert ("data:image/png" in html.render(card, found)) is shown
    if images is None and why:
        assert "e360 report --images shows them" in html.render(card, found)
