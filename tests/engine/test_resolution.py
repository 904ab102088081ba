"""The resolution axis: sizes that a model takes, those that it rejects, and what each costs and brings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.dataset import from_arrays
from efficiency360.numerics.curve import default_sizes, scaled

CHANNELS = 5


class Fine(nn.Module):
    """Tells checkerboards of pitch 1 from plain grey, which only the full size shows; takes multiples of four."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, CHANNELS, 3, padding=1, bias=False)

    def forward(self, x):
        if x.shape[-1] % 4:
            raise ValueError(f"{x.shape[-1]} is not a multiple of 4")
        self.conv(x)
        contrast = (x[..., 1:] - x[..., :-1]).abs().mean(dim=(1, 2, 3))
        return torch.stack([0.5 - contrast, contrast - 0.5], dim=1)


@pytest.fixture
def boards():
    labels = np.arange(20) % 2
    board = 255 * (np.indices((16, 16)).sum(axis=0) % 2)
    images = np.where(labels[:, None, None] == 1, board, 128)
    return from_arrays(images.astype(np.uint8), labels, name="boards")


def resolution(subject, data=None, **settings):
    return efficiency360.audit(
        subject,
        data,
        axes=["resolution"],
        settings={"resolution": {"seconds": 0.05, **settings}},
        threads=1,
        input=(1, 16, 16),
    ).axis("resolution")


def values(axis, name):
    return {m.params["size"]: m.value for m in axis.measurements if m.name == f"resolution.{name}"}


def test_each_size_has_its_compute_time_memory_and_accuracy(boards):
    axis = resolution(Fine(), boards, sizes=[8, 16, 32])
    assert axis.status == "measured", axis.reason
    assert values(axis, "macs") == {size: CHANNELS * 9 * size**2 for size in (8, 16, 32)}
    assert values(axis, "top1") == {8: 0.5, 16: 1.0, 32: 0.5}
    assert set(values(axis, "latency_ms")) == set(values(axis, "peak_memory_bytes")) == {8, 16, 32}
    (curve,) = axis.series
    assert list(curve.columns) == ["size", "gmacs", "latency_ms", "memory_mb", "top1"]


def test_sizes_that_the_model_rejects_are_named_with_their_reason(boards):
    axis = resolution(Fine(), boards, sizes=[16, 18])
    assert set(values(axis, "macs")) == {16}
    (caveat,) = [caveat for caveat in axis.caveats if caveat.id == "resolution.rejected"]
    assert caveat.text == "Sizes that the model rejects: 18 (ValueError: 18 is not a multiple of 4)."


def test_a_model_that_takes_none_fails_the_axis():
    axis = resolution(Fine(), sizes=[18])
    assert axis.status == "failed"
    assert "takes none of the sizes: 18 (ValueError" in axis.reason


def test_without_data_there_is_no_accuracy_and_the_model_s_own_size_is_among_the_sizes():
    axis = resolution(Fine())
    assert set(values(axis, "macs")) == {8, 12, 16, 20, 24}
    assert not values(axis, "top1")


def test_sizes_keep_the_ratio_of_the_model_s_own():
    assert scaled((480, 640), 240) == (240, 320)
    assert default_sizes((224, 224)) == (128, 160, 224, 288, 320)
    assert default_sizes((6, 6)) == (4, 6, 8)


def test_in_a_worker_too(tone_file, two_tones):
    card = efficiency360.audit(
        f"{tone_file}:tone",
        two_tones,
        axes=["resolution"],
        settings={"resolution": {"seconds": 0.05, "sizes": [8, 16], "images": 10}},
        input=(1, 8, 8),
        threads=1,
    )
    axis = card.axis("resolution")
    assert axis.status == "measured", axis.reason
    assert values(axis, "top1") == {8: 1.0, 16: 1.0}
    assert {m.n for m in axis.measurements if m.name == "resolution.top1"} == {10}
