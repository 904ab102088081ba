from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from efficiency360.errors import InputError
from efficiency360.search.lightest import lightest
from efficiency360.search.records import candidate_of, seen_of
from efficiency360.search.store import JOURNAL, Store
from efficiency360.search.strategies import Proposal

pytest.importorskip("optuna", reason="pip install efficiency360[search]")


@pytest.fixture
def proposed(space):
    def propose(index):
        genomes = [lightest(space), *(genome for _, genome in space.neighbours(lightest(space)))]
        return candidate_of(Proposal(genomes[index], "test"), space)

    return propose


def test_what_one_process_keeps_another_sees(tmp_path, space, proposed):
    with Store(tmp_path, space, {"a": 1}) as one, Store(tmp_path, space, {"a": 1}) as other:
        begun = one.begin(proposed(0))
        assert [found.state for found in other.candidates()] == ["running"]
        ended = begun.model_copy(update={"state": "rejected", "why": "too slow"})
        one.end(ended, seen_of(ended))
        assert other.candidates() == [ended]
        assert other.begin(proposed(1)).number == begun.number + 1
        assert one.remembered("pace_ms", 2.0) == other.remembered("pace_ms", 3.0) == 2.0


def test_another_search_on_the_same_storage_is_refused_with_what_differs(tmp_path, space):
    Store(tmp_path, space, {"constraints": {"limits": {"macs": 1e6}}, "seed": 0})
    with pytest.raises(InputError, match=r"constraints\.limits\.macs was 1000000\.0, now 2000000\.0.*another --out"):
        Store(tmp_path, space, {"constraints": {"limits": {"macs": 2e6}}, "seed": 0})


def test_a_line_that_was_cut_off_damages_nothing(tmp_path, space, proposed):
    with Store(tmp_path, space, {}) as store:
        begun = store.begin(proposed(0)).model_copy(update={"state": "rejected"})
        store.end(begun, seen_of(begun))
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":8,"worker_id":"cut o')
    with Store(tmp_path, space, {}) as store:
        assert store.candidates() == [begun]
        store.begin(proposed(1))
        assert len(store.candidates()) == 2
    for line in (tmp_path / JOURNAL).read_text().splitlines():
        json.loads(line)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, space, proposed, monkeypatch):
    with Store(tmp_path, space, {}) as store:
        begun = store.begin(proposed(0)).model_copy(update={"state": "rejected"})
        store.end(begun, seen_of(begun))

        def full(_handle):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(InputError, match="No space left on device; all finished candidates are kept"):
                store.begin(proposed(1))
    with Store(tmp_path, space, {}) as store:
        assert store.candidates() == [begun]
        store.begin(proposed(1))


def test_what_is_no_journal_is_refused(tmp_path, space):
    (tmp_path / JOURNAL).write_text('{"op_code": "x"}\nnot json\n{}\n')
    with pytest.raises(InputError, match="is not a journal of a search"):
        Store(tmp_path, space, {})


KILLED = """
import os, signal, sys
from pathlib import Path
from efficiency360.search.constraints import parse_constraints
from efficiency360.search.lightest import lightest
from efficiency360.search.records import candidate_of
from efficiency360.search.space import SearchSpace
from efficiency360.search.store import Store
from efficiency360.search.strategies import Proposal
from efficiency360.searched import Rung
space = SearchSpace(parse_constraints({content}, "c"), 10)
with Store(Path(sys.argv[1]), space, {{}}) as store:
    begun = store.begin(candidate_of(Proposal(lightest(space), "test", "because"), space))
    store.note(begun.model_copy(update={{"rungs": (Rung(epochs=1, accuracy=0.3, right=30, n=100, seconds=2),)}}))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_candidate_of_a_killed_process_is_taken_up_with_what_it_had_reached(tmp_path, space):
    content = {"channels": 1, **space.constraints.model_dump(mode="json", include={"space", "training"})}
    done = subprocess.run([sys.executable, "-c", KILLED.format(content=content), tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    with Store(tmp_path, space, {}) as store:
        (left,) = store.candidates()
    assert (left.state, left.worker, left.why) == ("running", "", "its process was killed")
    assert left.rungs[0].right == 30
    assert left.reason == "because"
