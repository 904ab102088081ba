"""What `e360 list` tells."""

from __future__ import annotations

from efficiency360.axes import axis_ids
from efficiency360.spec import audit_names


def test_it_names_axes_settings_audits_models_and_formats_within_80_columns(e360):
    answer = e360("list")
    assert answer.code == 0
    words = answer.out.split()
    assert {*axis_ids(), *audit_names(), "zoo:digits_transformer", "torch.export", "junit", "github"} <= set(words)
    assert "speed.seconds = 10.0" in answer.out
    assert "accuracy.batch_size = 32" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
