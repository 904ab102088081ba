"""Each layer of the wall, tried from inside."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import textwrap

import pytest

from efficiency360.engine.confinement import plan_for
from efficiency360.engine.wall.calls import ARCHITECTURES
from efficiency360.engine.wall.plan import (
    EVERY_LAYER,
    FILE_SIZE,
    FILES,
    HIDDEN,
    MEMORY,
    NO_NETWORK,
    NO_PROGRAMS,
    OWN_NETWORK,
    Plan,
)
from efficiency360.subject.request import SubjectOptions, request_subject

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wall is Linux's")

INSIDE = """
import sys
from efficiency360.engine.wall import Plan, raise_wall
layers = raise_wall(Plan.from_json(sys.argv[1]))
"""


@pytest.fixture
def inside(tmp_path):
    """Run statements behind the wall; the value of `answer` comes back, with the layers that held as second."""
    folder = tmp_path / "private"
    folder.mkdir()

    def run(statements, **plan):
        options = {"memory_bytes": 4 << 30, **plan}
        wanted = Plan(folder=str(folder), **options)
        code = f"{INSIDE}\n{textwrap.dedent(statements)}\nimport json; print(json.dumps([answer, layers]))"
        command = [sys.executable, "-c", code, wanted.to_json()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder, check=False)
        assert done.returncode == 0, done.stderr
        answer, layers = json.loads(done.stdout)
        return answer, layers

    return run


@pytest.fixture
def refused(inside):
    """The name of the exception that statements raise behind the wall; None where they go through."""

    def run(statements, needs, **plan):
        tried = textwrap.indent(textwrap.dedent(statements).strip(), "    ")
        answer, layers = inside(
            f"answer = None\ntry:\n{tried}\nexcept Exception as error:\n    answer = type(error).__name__", **plan
        )
        if needs not in layers:
            pytest.skip(f"this machine does not give: {needs}")
        return answer

    return run


def test_every_layer_holds_here_or_is_not_claimed(inside):
    answer, layers = inside("answer = 1")
    assert answer == 1
    assert set(layers) <= {*EVERY_LAYER, OWN_NETWORK}
    assert {MEMORY, FILE_SIZE} <= set(layers)


def test_what_a_plan_promises_is_what_it_asks_for():
    every = set(EVERY_LAYER)
    assert Plan("private", memory_bytes=1, exposed=True).promised == every
    assert Plan("private", memory_bytes=1).promised == every - {HIDDEN}
    assert Plan("private", exposed=True).promised == every - {MEMORY}
    assert Plan("private", memory_bytes=1, exposed=True, compilers=True).promised == every - {NO_PROGRAMS}
    plan = Plan("private", ("a",), ("b",), memory_bytes=5)
    assert Plan.from_json(plan.to_json()) == plan


class TestFiles:
    def test_the_private_folder_may_be_written(self, inside):
        statements = """
            import os, pathlib
            pathlib.Path("sub").mkdir(); pathlib.Path("sub/a").write_text("x")
            pathlib.Path("sub/a").write_text("anew"); os.rename("sub/a", "b"); os.unlink("b")
            answer = os.listdir()
        """
        assert inside(statements)[0] == ["sub"]

    @pytest.mark.parametrize(
        "statement",
        [
            "open({outside!r}, 'w')",
            "open({outside!r}, 'a')",
            "os.truncate({outside!r}, 0)",
            "os.unlink({outside!r})",
            "os.rename({outside!r}, 'mine')",
            "os.chmod({outside!r}, 0o777)",
            "os.utime({outside!r})",
            "os.mkdir({outside!r} + '.d')",
            "os.symlink('/', {outside!r} + '.link')",
            "os.link({outside!r}, {outside!r} + '.hard')",
            "os.mkfifo({outside!r} + '.fifo')",
            "os.setxattr({outside!r}, 'user.a', b'1')",
            "open('/dev/shm/e360-test', 'w')",
            "open('/proc/self/../' + str(os.getppid()) + '/mem', 'r+b')",
            "open('/proc/self/oom_score_adj', 'w')",
            "os.symlink({outside!r}, 'way') or open('way', 'a')",
        ],
    )
    def test_nothing_else_may_be_changed(self, refused, tmp_path, statement):
        outside = tmp_path / "outside"
        outside.write_text("kept")
        before = outside.stat().st_mode, outside.stat().st_mtime
        assert refused(f"import os\n{statement.format(outside=str(outside))}", FILES) in {"PermissionError", "OSError"}
        assert outside.read_text() == "kept"
        assert (outside.stat().st_mode, outside.stat().st_mtime) == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "private"]

    def test_only_what_is_named_may_be_read(self, refused, tmp_path):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "weights").write_text("w")
        (tmp_path / "labels.csv").write_text("secret")
        named = {"reads": (str(tmp_path / "model"),)}
        assert refused(f"open({str(tmp_path / 'model' / 'weights')!r}).read()", FILES, **named) is None
        assert refused(f"open({str(tmp_path / 'labels.csv')!r})", FILES, **named) == "PermissionError"
        assert refused(f"import os; os.listdir({str(tmp_path)!r})", FILES, **named) == "PermissionError"
        assert refused("open('/etc/shadow')", FILES) == "PermissionError"

    def test_the_environment_of_the_parent_cannot_be_read(self, refused):
        assert refused("import os; open(f'/proc/{os.getppid()}/environ').read()", FILES) == "PermissionError"

    def test_a_file_cannot_grow_beyond_its_limit(self, inside):
        statements = """
            try:
                with open("large", "wb") as file:
                    while True:
                        file.write(bytes(1 << 20))
            except OSError as error:
                answer = error.strerror
        """
        assert inside(statements, file_bytes=8 << 20)[0] == "File too large"


class TestHidden:
    def test_data_below_what_may_be_read_is_not_seen(self, refused, tmp_path):
        (tmp_path / "code" / "data").mkdir(parents=True)
        (tmp_path / "code" / "data" / "labels.csv").write_text("secret")
        (tmp_path / "code" / "labels.npz").write_text("secret")
        (tmp_path / "code" / "net.py").write_text("1")
        code = tmp_path / "code"
        plan = {"reads": (str(code),), "hides": (str(code / "data"), str(code / "labels.npz")), "exposed": True}
        assert refused(f"open({str(code / 'net.py')!r}).read()", HIDDEN, **plan) is None
        assert refused(f"assert open({str(code / 'labels.npz')!r}).read()", HIDDEN, **plan) in {
            "AssertionError",
            "PermissionError",
        }
        reading = f"open({str(code / 'data' / 'labels.csv')!r})"
        assert refused(reading, HIDDEN, **plan) in {"FileNotFoundError", "PermissionError"}
        assert (code / "data" / "labels.csv").read_text() == "secret"

    def test_the_plan_hides_what_it_can_and_says_what_it_cannot(self, tmp_path):
        (tmp_path / "data").mkdir()
        (tmp_path / "net.py").write_text("def net(): ...")
        request = request_subject(f"{tmp_path / 'net.py'}:net", SubjectOptions(input=(1, 8, 8)))

        def plan(*hides):
            return plan_for(request, str(tmp_path / "private"), hides=map(str, hides), compilers=True)

        below = plan(tmp_path / "data")
        assert (below.hides, below.exposed, below.beside) == ((str(tmp_path / "data"),), True, False)
        around = plan(tmp_path)
        assert (around.hides, around.exposed, around.beside) == ((), True, True)
        elsewhere = plan(tmp_path.parent / "elsewhere")
        assert not elsewhere.exposed
        assert not below.compilers


class TestNetwork:
    @pytest.mark.parametrize(
        "kind",
        ["AF_INET, socket.SOCK_STREAM", "AF_INET, socket.SOCK_DGRAM", "AF_INET6, socket.SOCK_STREAM", "AF_UNIX"],
    )
    def test_no_socket_of_any_family_can_be_made(self, refused, kind):
        assert refused(f"import socket; socket.socket(socket.{kind})", NO_NETWORK) == "PermissionError"

    def test_a_packet_does_not_reach_a_listener_on_this_machine(self, refused):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.settimeout(0.2)
            send = f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {listener.getsockname()!r})"
            assert refused(f"import socket; {send}", NO_NETWORK) == "PermissionError"
            with pytest.raises(TimeoutError):
                listener.recv(1)

    @pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_STREAM", "SOCK_RAW"])
    def test_no_pair_of_sockets_can_be_made_that_would_reach_another_by_its_path(self, refused, kind):
        assert refused(f"import socket; socket.socketpair(type=socket.{kind})", NO_NETWORK) == "PermissionError"

    def test_the_ring_that_would_make_sockets_in_the_kernel_is_closed(self, inside):
        statements = """
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)
            answer = [libc.syscall(425, 8, ctypes.create_string_buffer(256)), ctypes.get_errno()]
        """
        answer, layers = inside(statements)
        assert NO_NETWORK not in layers or answer == [-1, 1]


class TestProcesses:
    @pytest.mark.parametrize(
        "statement",
        [
            "os.fork()",
            "subprocess.run(['/bin/true'])",
            "os.execv('/bin/true', ['true'])",
            "os.posix_spawn('/bin/true', ['true'], {})",
            "os.system('true') and (_ for _ in ()).throw(PermissionError())",
            "os.kill(os.getppid(), 0)",
            "os.kill(-1, 0)",
            "os.kill(0, 0)",
            "os.setsid()",
            "os.setpgid(0, 0)",
            "os.pidfd_open(os.getppid())",
            "resource.prlimit(os.getppid(), resource.RLIMIT_CORE)",
            "os.sched_setaffinity(os.getppid(), {0})",
            "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
            "fcntl.fcntl(0, 10, 19)",
            "ctypes.CDLL(None, use_errno=True).prctl(1, 0) and (_ for _ in ()).throw(PermissionError())",
            "os.memfd_create('x')",
            "ctypes.CDLL(None).inotify_init() < 0 and (_ for _ in ()).throw(PermissionError())",
        ],
    )
    def test_no_other_process_can_be_made_or_touched(self, refused, statement):
        assert refused(f"import ctypes, fcntl, os, resource, subprocess\n{statement}", NO_PROGRAMS) == "PermissionError"

    @pytest.mark.parametrize(
        "statement", ["os.execv('/bin/true', ['true'])", "os.execve(0, ['true'], {})", "os.fork()"]
    )
    def test_the_filter_alone_refuses_programs_where_the_kernel_has_no_landlock(self, tmp_path, statement):
        code = f"""
import os
from efficiency360.engine.wall import namespaces, seccomp
namespaces.no_new_privileges()
assert seccomp.restrict(compilers=False)
try:
    {statement}
except OSError as error:
    print(error.errno)
"""
        if os.uname().machine not in ARCHITECTURES:
            pytest.skip("the filter knows x86-64 and ARM64")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path)  # noqa: PLW1510
        assert done.stdout == f"{errno.EPERM}\n", done.stderr

    def test_a_fork_bomb_does_not_start(self, inside):
        statements = """
            import os
            answer = 0
            for _ in range(1000):
                try:
                    if os.fork() == 0: os._exit(0)
                    answer += 1
                except OSError: pass
        """
        answer, layers = inside(statements)
        assert NO_PROGRAMS not in layers or answer == 0

    def test_threads_may_be_started_and_joined(self, inside):
        statements = """
            import threading
            answer = []
            threads = [threading.Thread(target=answer.append, args=(n,)) for n in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            answer.sort()
        """
        assert inside(statements)[0] == list(range(8))

    def test_a_plan_with_compilers_lets_programs_run_behind_the_same_wall(self, refused, tmp_path):
        run = "import subprocess; subprocess.run(['sh', '-c', 'true'], check=True)"
        assert refused(run, FILES, compilers=True) is None
        outside = tmp_path / "outside"
        assert refused(run.replace("true", f"echo x > {outside}", 1), FILES, compilers=True) == "CalledProcessError"
        assert not outside.exists()


class TestMemory:
    @pytest.mark.parametrize(
        "take", ["bytearray(100 << 30)", "mmap.mmap(-1, 100 << 30)", "[bytearray(1 << 28) for _ in range(40)]"]
    )
    def test_a_hundred_gigabytes_are_refused(self, refused, take):
        assert refused(f"import mmap; {take}", MEMORY) in {"MemoryError", "OSError"}


def test_privileges_are_gone(inside):
    statements = """
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        answer = [int(status["NoNewPrivs"]), int(status["CapEff"], 16) & ~4, int(status["CapBnd"], 16)]
    """
    assert inside(statements)[0] == [1, 0, 0]
