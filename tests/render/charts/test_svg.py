"""From a spec to the page: real text, the page's colours, no trace of what Vega-Lite adds, and nothing from outside."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import vl_convert
from lxml import etree

from efficiency360.render.charts import svg, theme
from efficiency360.render.charts.scales import WHOLE
from efficiency360.render.charts.theme import COLOURS, Frame, at, chart, layer, level, spread, texts, upright

TEMPLATES = Path(svg.__file__).parent.parent / "templates"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "end of svg": "</text></svg><svg onload=alert(1)>",
    "attribute": '" onmouseover="alert(1)',
    "expression": "datum.x; constructor.constructor('return process')()",
    "signal": '{"signal": "warn(1)"}',
    "mask": "@0 @1 >@2< @999",
    "bidirectional": "photo\u202egpj.\u2066exe",
    "control": "a\x00b\x07\x1b[31m\x7f\ud800",
    "lines": "two\nlines\r\u2028more",
    "long": "x" * 10_000,
    "empty": "",
    "japanese": "精度 (%) 🦉",
}


def spec(name="cat", title="Accuracy", **look):
    frame = Frame(200)
    rows = [{"x": 0, "y": 10, "low": 5, "high": 20}, {"x": 50.12345, "y": 80, "low": 70, "high": 90}]
    return chart(
        [
            spread("spread", rows),
            layer("line", rows, "line", **look),
            layer("dots", rows, "point"),
            texts("names", [{"text": name, "x": 3, "y": 4}], at(x=4)),
        ],
        frame,
        x=level("x", title, WHOLE, frame),
        y=upright("y", "Right (%)", WHOLE, frame),
    )


def drawn(found=None, name="Curve", description="It rises."):
    return etree.fromstring(str(svg.draw(found or spec(), "test", name, description)).encode("utf-8", "replace"))


def test_it_has_a_name_and_a_description_for_those_who_cannot_see_it():
    root = drawn()
    assert (root.get("role"), root.get("aria-label"), root.findtext("desc")) == ("img", "Curve", "It rises.")
    assert "chart" in root.get("class").split()


def test_text_is_text_and_every_part_says_its_class():
    root = drawn()
    said = [one.text for one in root.iter("text")]
    assert {"cat", "Accuracy", "Right (%)", "0", "25", "100"} <= set(said)
    groups = {group.get("class").split()[0] for group in root.iter("g")}
    assert {"grid", "label", "title", "spread", "line", "dots", "names"} <= groups


def test_nothing_is_taken_over_but_shapes_without_ids_links_or_styles():
    root = drawn()
    assert {one.tag for one in root.iter()} == {"svg", "desc", "g", "path", "line", "text"}
    kept = {key for one in root.iter() for key in one.attrib}
    assert not [
        key for key in kept if key in {"id", "href", "style", "clip-path", "font-family"} or key.startswith("on")
    ]
    assert not [key for one in root.iter("g", "path", "text") for key in one.attrib if key.startswith("aria")]


def test_places_are_where_the_numbers_are_and_short():
    root = drawn()
    frame = Frame(200)
    (line,) = (one for group in root.iter("g") if group.get("class").startswith("line") for one in group)
    numbers = [float(one) for one in re.findall(r"[\d.]+", line.get("d"))]
    assert numbers == pytest.approx([0, frame.down * 0.9, frame.across * 0.5012345, frame.down * 0.2], abs=0.01)
    assert all(len(one.partition(".")[2]) <= 2 for one in re.findall(r"[\d.]+", line.get("d")))


def test_every_colour_is_a_class_that_the_page_styles():
    styles = {name: (TEMPLATES / f"{name}.css").read_text() for name in ("charts", "report", "pictures")}
    for role in COLOURS:
        paints = ["fill"] if role.startswith("heat") else ["fill", "stroke"]
        assert all(f".chart .{paint}-{role} {{" in styles["charts"] for paint in paints), role
    variables = re.findall(r"var\((--[a-z]+)", styles["charts"])
    assert len(variables) > len(COLOURS)
    assert all(f"{variable}:" in styles["report"] + styles["pictures"] for variable in variables)


def test_a_colour_that_the_page_does_not_have_is_an_error():
    with pytest.raises(ValueError, match="#123456"):
        svg.draw(spec(color="#123456"), "test", "", "")


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_text_from_outside_stays_text(name):
    root = drawn(spec(name, name), name, name)
    plain = drawn()
    assert [one.tag for one in root.iter()] == [one.tag for one in plain.iter()]
    assert [sorted(one.attrib) for one in root.iter()] == [sorted(one.attrib) for one in plain.iter()]
    assert max(len(one.text or "") for one in root.iter("text")) <= 200
    assert len(root.get("aria-label")) <= 200
    shown = str(svg.draw(spec(name, name), "test", name, name))
    assert not re.search("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]", shown)
    if name.isprintable() and len(name) < 200:
        assert [one.text or "" for one in root.iter("text")].count(name) == 2


def test_the_engine_never_sees_a_text(monkeypatch):
    seen = []
    draw = vl_convert.vegalite_to_svg
    monkeypatch.setattr(vl_convert, "vegalite_to_svg", lambda spec, **more: seen.append(spec) or draw(spec, **more))
    for name in ("one name", "another"):
        assert name in svg.draw(spec(name, name, strokeWidth=1.234), "test", "", "")
    (once,) = seen
    assert not [said for said in ("one name", "another", "Right (%)") if said in once]


def test_texts_are_said_in_the_language_of_the_page_and_stay_text():
    said = str(svg.draw(spec("fog"), "test", "", "", lambda one: {"fog": "<霧>"}.get(one, one)))
    assert "&lt;霧&gt;" in said
    assert "fog" not in said


@pytest.mark.parametrize(
    "part",
    [
        {"transform": [{"calculate": "1", "as": "x"}]},
        {"params": [{"name": "p", "value": 1}]},
        {"title": {"expr": "1+1"}},
        {"title": {"signal": "1+1"}},
        {"encoding": {"x": {"axis": {"labelExpr": "datum.label"}}}},
        {"data": {"url": "https://evil.example/x.json"}},
        {"encoding": {"href": {"value": "https://evil.example"}}},
    ],
    ids=lambda part: next(iter(part)),
)
def test_a_spec_that_computes_or_refers_to_something_is_refused(part):
    with pytest.raises(ValueError, match="must not compute"):
        svg.draw({**spec(), **part}, "test", "", "")


def test_a_place_that_is_no_number_is_refused():
    odd = spec()
    odd["layer"][1]["data"]["values"][0]["y"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        svg.draw(odd, "test", "", "")


def test_no_place_depends_on_the_fonts_of_the_machine():
    other = copy.deepcopy(spec("WWWWWWWWWW", "iiiiii"))
    other["config"]["font"] = "monospace"
    other["config"]["text"]["fontWeight"] = 900
    first, second = (svg.draw(one, "test", "", "") for one in (spec("WWWWWWWWWW", "iiiiii"), other))
    assert second.replace(' font-weight="900"', "") == first
    assert theme.CONFIG["axis"]["labelLimit"] == theme.CONFIG["axis"]["titleLimit"] == 0


def test_the_same_spec_gives_the_same_bytes_in_other_orders_and_in_another_process():
    program = (
        "import json, sys; from efficiency360.render.charts import svg; given = json.load(sys.stdin);"
        "found = [svg.draw(one, 'test', 'n', 'd') for one in given]; sys.stdout.buffer.write(found[-1].encode())"
    )
    mine = svg.draw(spec(), "test", "n", "d")
    svg._drawn.cache_clear()
    svg.draw(spec(strokeWidth=9), "test", "n", "d")
    assert svg.draw(spec(), "test", "n", "d") == mine
    given = json.dumps([spec(strokeWidth=3), spec(strokeDash=[1, 2]), spec()]).encode()
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=True)
    assert done.stdout.decode() == mine


def test_the_engine_is_started_by_the_first_chart_and_by_nothing_else():
    program = (
        "import sys, efficiency360.render.html, efficiency360.render.gallery, efficiency360.cli.app;"
        "sys.exit('vl_convert' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
