"""All charts in one report: apart from each other, in two languages at once, and whatever anything is called."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import vl_convert

from efficiency360.records import AxisRecord, Interval, Measurement, Series
from efficiency360.render import html
from efficiency360.render.charts import svg
from efficiency360.statistics.intervals import wilson

NAMES = {
    "script": "<script>alert(1)</script>",
    "end of svg": "</text></svg><svg onload=alert(1)>",
    "attribute": '" onmouseover="alert(1)',
    "expression": "datum['x'] + warn(1)",
    "template": "{{ 7 * 7 }}{0}%s",
    "bidirectional": "photo\u202egpj.\u2066exe\u2069",
    "control": "a\x00b\x07\x1b[31m\n\r\u2028c",
    "long": "x" * 10_000,
}
KINDS = [
    "latency",
    "reliability",
    "robustness",
    "corruptions",
    "roc",
    "tradeoff",
    "groups",
    "crossed",
    "faith",
    "faith",
]


def measured(name, value, unit="proportion", **params):
    most = 1.0 if unit == "proportion" else 1e9
    reach = Interval(low=0.9 * value, high=min(most, 1.1 * value), level=0.95, method="m")
    return Measurement(name=name, value=value, unit=unit, interval=reach, n=200, params=params)


def axis(axis_id, number, *series):
    return AxisRecord(id=axis_id, version=1, status="measured", measurements=(number,), series=series)


def table(name, **columns):
    return Series.model_validate({"name": name, "title": name, "columns": columns})


def axes(name):
    """An axis for each chart; all that can be called something is called `name`."""
    accuracy = {"accuracy": [0.9, 0.5], "low": [0.8, 0.4], "high": [1.0, 0.6]}
    ends = [wilson(hits, 40) for hits in (30, 36, 12, 40)]
    fair = {
        "attribute": [name, name, "a x b", "a x b"],
        "group": [name, "other", f"{name.replace(' x ', '')} x old", "y x old"],
        "n": [40] * 4,
        "judged": [True, True, False, True],
        "accuracy": [0.75, 0.9, 0.3, 1.0],
        "low": [one.low for one in ends],
        "high": [one.high for one in ends],
    }
    curves = {f"{kind}_{name}": [0.9, 0.5, 0.1] for kind in ("deletion", "insertion")}
    both = (("top1", "proportion", (0.5, 0.6)), ("latency_ms", "ms", (3.0, 5.0)))
    sizes = [
        measured(f"resolution.{what}", value, unit, size=size)
        for what, unit, values in both
        for size, value in zip((32, 64), values, strict=True)
    ]
    latency = table("speed.latency_distribution", from_ms=[10, 11, 12], to_ms=[11, 12, 40], runs=[5, 3, 2])
    bins = table("uncertainty.reliability", confidence=[0.5, 0.9], accuracy=[0.6, 0.8], images=[20, 20])
    curve = table("robustness.curve", eps=[0.0, 0.1], **accuracy)
    spoiled = {"corruption": [name, "fog"], "clean": [0.9, 0.9], "severity_1": [0.8, 0.7], "mean": [0.8, 0.7]}
    attacked = measured("robustness.adversarial_accuracy", 0.5, attack=name, norm=name, eps=0.1)
    faith = table("transparency.curves", changed=[0.0, 0.5, 1.0], **curves)
    roc = table("privacy.roc", attack=[name, name], fpr=[0.01, 1.0], tpr=[0.1, 1.0])
    tradeoff = table("privacy.tradeoff", epsilon=[1.0, None], **accuracy)
    return (
        axis("speed", measured("speed.latency_ms", 11.0, "ms", stat="p50", batch=1), latency),
        axis("uncertainty", measured("uncertainty.ece", 0.1), bins),
        axis("robustness", attacked, curve, table("robustness.corruptions", **spoiled)),
        axis("privacy", measured("privacy.mia_auc", 0.5), roc, tradeoff),
        axis("fairness", measured("fairness.accuracy_gap", 0.1), table("fairness.groups", **fair)),
        axis("transparency", measured("transparency.deletion_auc", 0.1), faith),
        AxisRecord(
            id="resolution",
            version=1,
            status="measured",
            measurements=tuple(sizes),
            series=(table("resolution.curve", size=[32, 64]),),
        ),
    )


@pytest.fixture(scope="module")
def page_of(card_of):
    return lambda name: html.render(card_of(axes(name)))


def charts(page):
    return re.findall(r'<svg class="chart .*?</svg>', page, re.DOTALL)


class Skeleton(HTMLParser):
    """Tags with the names of their attributes."""

    def __init__(self, source):
        super().__init__()
        self.tags = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(key for key, _ in attrs)))


def test_every_kind_of_chart_is_there_with_a_name_a_description_and_its_numbers_in_a_table(page_of):
    page = page_of("cat")
    found = charts(page)
    kinds = [re.match(r'<svg class="chart (\w+)"', one)[1] for one in found]
    assert sorted(kinds) == sorted([*KINDS, "resolution"])
    for one in found:
        assert re.search(r'role="img" aria-label="[^"]+"><desc>[^<]+</desc>', one), one[:200]
    for one in axes("cat"):
        for series in one.series:
            assert f"{series.title}: the numbers of the figure" in page


def test_charts_never_clash_even_where_each_is_there_twice(page_of):
    page = page_of("cat")
    for one in charts(page):
        assert not re.search(r"\b(id|href|clip-path|style)=|url\(|<(defs|script|style|use)", one)
    identities = re.findall(r'\bid="([^"]*)"', page)
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_whatever_things_are_called_charts_have_the_same_parts(page_of, name):
    page, ordinary = page_of(name), page_of("cat")
    assert [Skeleton(one).tags for one in charts(page)] == [Skeleton(one).tags for one in charts(ordinary)]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u2028\u2029]", page)
    texts = [said for one in charts(page) for said in re.findall("<text[^>]*>([^<]*)", one)]
    assert max(map(len, texts)) < 250


def test_the_same_scorecard_gives_the_same_bytes(page_of):
    assert page_of("cat") == page_of("cat")


def test_all_charts_together_are_small(page_of):
    assert sum(map(len, charts(page_of("cat")))) < 45_000


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="limits are set by bash")
def test_where_limits_leave_the_engine_no_room_the_page_says_which_figures_are_missing(tmp_path, card_of):
    (tmp_path / "scorecard.json").write_text(card_of(axes("cat")).model_dump_json(), encoding="utf-8")
    command = f"ulimit -v 8000000; exec {shlex.quote(sys.executable)} -m efficiency360 report {tmp_path}/scorecard.json"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not charts(page)
    assert page.count("This figure is missing: ") == len(KINDS) + 1
    assert "This figure is missing: Confidence and accuracy." in page
    assert 'class="series"' in page


def test_an_engine_that_fails_leaves_a_sentence_and_not_half_a_page(page_of, monkeypatch):
    def fails(*_, **__):
        raise ValueError("oneshot canceled")

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", fails)
    svg._drawn.cache_clear()
    page = page_of("<b>cat</b>")
    assert not charts(page)
    assert page.count("This figure is missing: ") == len(KINDS) + 1
    assert "<b>cat</b>" not in page
