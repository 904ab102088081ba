"""The tightest limit around this process counts, under both versions of control groups."""

from __future__ import annotations

import sys

import pytest

from efficiency360 import groups

OWN = "11:cpu,cpuacct:/outer/inner\n4:memory:/outer/inner\n1:name=systemd:/x\n0::/outer/inner\n"


@pytest.fixture
def root(tmp_path):
    """Write a root where this process is in a control group within another."""

    def write(**files):
        known = {"proc/self/cgroup": OWN, "proc/meminfo": "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n"}
        for name, text in (known | files).items():
            path = tmp_path / name.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_a_machine_without_control_groups_has_no_limit(tmp_path):
    assert groups.quota(tmp_path) is None
    assert groups.memory_limit(tmp_path) is None
    assert groups.free_bytes(tmp_path) is None


def test_without_a_limit_all_that_is_free_is_free(root):
    group = "sys/fs/cgroup/memory/outer"
    there = root(
        **{f"{group}/memory__limit_in_bytes": "9223372036854771712\n", f"{group}/memory__usage_in_bytes": "1\n"}
    )
    assert groups.free_bytes(there) == 8_000_000 * 1024
    assert groups.memory_limit(there) is None


@pytest.mark.parametrize(
    ("group", "limit", "used", "caches"),
    [
        ("sys/fs/cgroup/outer", "memory__max", "memory__current", "inactive_file"),
        ("sys/fs/cgroup/memory/outer", "memory__limit_in_bytes", "memory__usage_in_bytes", "total_inactive_file"),
    ],
)
def test_the_tightest_limit_of_memory_counts_and_caches_do_not(root, group, limit, used, caches):
    there = root(
        **{
            f"{group}/inner/{limit}": "2000000000\n",
            f"{group}/inner/{used}": "600000000\n",
            f"{group}/{limit}": "1000000000\n",
            f"{group}/{used}": "700000000\n",
            f"{group}/memory__stat": f"anon 1\n{caches} 200000000\n",
        }
    )
    assert groups.free_bytes(there) == 500_000_000
    assert groups.memory_limit(there) == 1_000_000_000


def test_the_top_counts_where_a_container_does_not_show_the_groups_above(root):
    top = "sys/fs/cgroup/memory"
    there = root(**{f"{top}/memory__limit_in_bytes": "1000000\n", f"{top}/memory__usage_in_bytes": "400000\n"})
    assert groups.free_bytes(there) == 600_000


def test_more_used_than_allowed_leaves_nothing(root):
    top = "sys/fs/cgroup"
    assert groups.free_bytes(root(**{f"{top}/memory__max": "1000\n", f"{top}/memory__current": "1001\n"})) == 0


def test_the_tightest_limit_of_processors_counts(root):
    group = "sys/fs/cgroup/outer"
    assert groups.quota(root(**{f"{group}/inner/cpu__max": "max 100000\n"})) is None
    there = root(**{f"{group}/cpu__max": "150000 100000\n"})
    assert groups.quota(there) == 1.5
    own = "sys/fs/cgroup/cpu/outer/inner"
    there = root(**{f"{own}/cpu__cfs_quota_us": "50000\n", f"{own}/cpu__cfs_period_us": "100000\n"})
    assert groups.quota(there) == 0.5
    there = root(**{f"{own}/cpu__cfs_quota_us": "-1\n"})
    assert groups.quota(there) == 1.5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_tells_and_the_model_sees_what_the_auditor_sees():
    from efficiency360.numerics.memory import process_available  # noqa: PLC0415 - torch

    free = groups.free_bytes()
    assert free > 1 << 20
    assert process_available() == pytest.approx(free, rel=0.2)
