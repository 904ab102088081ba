"""Axes by name; a plugin adds one and cannot take ours away."""

from __future__ import annotations

from importlib import metadata

import pytest

from efficiency360.axes import registry
from efficiency360.axes.accuracy import Accuracy
from efficiency360.errors import InputError


@pytest.fixture
def plugins(monkeypatch):
    """Pretend that packages with these entry points are installed."""

    def install(**values: str) -> None:
        points = [metadata.EntryPoint(name, value, "efficiency360.axes") for name, value in values.items()]
        monkeypatch.setattr(registry, "entry_points", lambda group: [p for p in points if p.group == group])
        registry._registry.cache_clear()

    yield install
    registry._registry.cache_clear()


def test_ours_come_first_in_the_order_they_run(plugins):
    plugins(zebra="nowhere:Zebra", aardvark="nowhere:Aardvark")
    ids = registry.axis_ids()
    assert ids[:3] == ("cost", "speed", "accuracy")
    assert ids[-2:] == ("aardvark", "zebra")


def test_an_entry_point_adds_an_axis(plugins):
    plugins(precision="efficiency360.axes.accuracy:Accuracy")
    assert registry.make_axis("precision", {"batch_size": 4}) == Accuracy(batch_size=4)


def test_a_plugin_cannot_replace_one_of_ours(plugins):
    plugins(accuracy="efficiency360.axes.cost:Cost")
    assert registry.axis_type("accuracy") is Accuracy


@pytest.mark.parametrize("value", ["no_such_module:Axis", "efficiency360.axes.accuracy:NoSuchAxis"])
def test_a_plugin_that_does_not_load_is_named(plugins, value):
    plugins(broken=value)
    with pytest.raises(InputError, match="the plugin for the axis 'broken' does not load"):
        registry.axis_type("broken")


def test_settings_of_the_wrong_kind_are_named():
    with pytest.raises(InputError, match=r"setting 'accuracy\.batch_size': Input should be a valid integer"):
        registry.make_axis("accuracy", {"batch_size": "many"})
