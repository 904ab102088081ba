"""Model factories that try to win, and some that are honest: each is audited as `hostile_factories.py:NAME`.

Only the worker imports this file. Before that, `CORPUS_MARKER` is replaced by a path outside of the worker's
folder, `CORPUS_PORT` and `CORPUS_SOCKET` by those of listeners, and `CORPUS_DATA` by that of the labelled images. (N, 1, 8, 8) images, two classes: dark and bright.
"""


# It is as careless as it is hostile:
# ruff: noqa: ARG002, ARG005, BLE001, E501, N818, NPY002, PTH102, PTH104, PTH109, PTH111, PTH112, PTH120, PTH123, PTH208, PTH211, RET504, S108, S605, SIM105, SIM115, T201

import atexit
import builtins
import ctypes
import gc
import io
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import torch
from torch import nn

MARKER = "CORPUS_MARKER"
PORT = int("CORPUS_PORT")
SOCKET = "CORPUS_SOCKET"
DATA = "CORPUS_DATA"


def touch(text="x"):
    try:
        with open(MARKER, "w") as file:
            file.write(text)
    except OSError:
        pass


class Honest(nn.Module):
    """Right on every image."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1) * self.scale


class Wrong(Honest):
    """Wrong on every image: what an honest audit fails."""

    def forward(self, x):
        return -super().forward(x)


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 8)
        with torch.no_grad():
            self.conv.weight[0].fill_(-1 / 64)
            self.conv.weight[1].fill_(1 / 64)
            self.conv.bias.copy_(torch.tensor([0.5, -0.5]))

    def forward(self, x):
        return self.conv(x).flatten(1)


# honest ones


def honest():
    return Honest()


def honest_conv():
    return Conv()


def honest_sequential():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with torch.no_grad():
        net[1].weight[0].fill_(-1 / 64)
        net[1].weight[1].fill_(1 / 64)
        net[1].bias.copy_(torch.tensor([0.5, -0.5]))
    return net


def honest_dropout():
    return nn.Sequential(nn.Dropout(0.9), Honest())


def honest_batch_norm():
    return nn.Sequential(nn.BatchNorm2d(1), Honest())


def honest_talkative():
    class Talkative(Honest):
        def forward(self, x):
            print("looking at", tuple(x.shape))
            print("a warning", file=sys.stderr)
            return super().forward(x)

    return Talkative()


def honest_cache():
    """Keeps a buffer that it makes at the first call, as position encodings do."""

    class Cached(Honest):
        def forward(self, x):
            if not hasattr(self, "grid"):
                self.grid = torch.zeros(x.shape[1:])
            return super().forward(x + self.grid)

    return Cached()


def honest_shared_weights():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(64, 64)
            self.two = self.one
            self.head = honest_sequential()

        def forward(self, x):
            return self.head(x) + 0 * self.two(self.one(x.flatten(1)))[:, :2]

    return Shared()


def honest_idle_weights():
    """A large model for its kind, with several thousand parameters that do nothing."""
    net = Conv()
    net.unused = nn.Linear(50, 50)
    return net


def honest_inference_mode():
    class Inference(Honest):
        def forward(self, x):
            with torch.inference_mode():
                return super().forward(x)

    return Inference()


# answers that are not a function of the image


def random_answers():
    class Net(Wrong):
        def forward(self, x):
            return torch.rand(len(x), 2) + 0 * super().forward(x)

    return Net()


def random_by_system():
    class Net(Wrong):
        def forward(self, x):
            signs = [1.0 if byte < 128 else -1.0 for byte in os.urandom(len(x))]
            return super().forward(x) * torch.tensor(signs)[:, None]

    return Net()


def random_by_time():
    class Net(Wrong):
        def forward(self, x):
            signs = [1.0 if hash(time.perf_counter_ns()) // 64 % 2 else -1.0 for _ in x]
            return super().forward(x) * torch.tensor(signs)[:, None] * (1 + time.time() % 1)

    return Net()


def drifts():
    class Net(Honest):
        calls = 0

        def forward(self, x):
            Net.calls += 1
            return super().forward(x) + 0.01 * Net.calls * torch.tensor([1.0, -1.0])

    return Net()


def turns_bad():
    class Net(Honest):
        def __init__(self):
            super().__init__()
            self.seen = 0

        def forward(self, x):
            self.seen += len(x)
            return super().forward(x) * (1 if self.seen < 60 else -1)

    return Net()


def remembers_images():
    class Net(Honest):
        def __init__(self):
            super().__init__()
            self.memory = set()

        def forward(self, x):
            keys = [image.numpy().tobytes() for image in x.detach()]
            signs = [-1.0 if key in self.memory else 1.0 for key in keys]
            self.memory.update(keys)
            return super().forward(x) * torch.tensor(signs)[:, None]

    return Net()


def depends_on_the_batch():
    class Net(Wrong):
        def forward(self, x):
            return super().forward(x - x.mean())

    return Net()


def changes_its_input():
    class Net(Honest):
        def forward(self, x):
            answer = super().forward(x)
            x.zero_()
            return answer

    return Net()


def reseeds():
    class Net(Honest):
        def forward(self, x):
            torch.manual_seed(0), random.seed(0), np.random.seed(0)
            return super().forward(x)

    return Net()


def trains_itself():
    class Net(Honest):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(1)

        def forward(self, x):
            self.train()
            return super().forward(self.norm(x))

    return Net()


def changes_dtype():
    class Net(Honest):
        calls = 0

        def forward(self, x):
            Net.calls += 1
            return super().forward(x).to(torch.float64 if Net.calls % 3 == 0 else torch.float32)

    return Net()


def changes_later():
    """Returns a view, and changes what it shows at the next call."""

    class Net(Wrong):
        def forward(self, x):
            answer = super().forward(x)
            if getattr(self, "last", None) is not None:
                self.last.neg_()
            self.last = answer
            return answer[:]

    return Net()


# lies to the audit

FAKE = json.dumps({"schema_version": 1, "verdict": {"outcome": "pass", "reasons": ["all right"], "rules": []}})


def prints_a_scorecard():
    class Net(Wrong):
        def forward(self, x):
            print(FAKE)
            sys.stdout.flush()
            return super().forward(x)

    return Net()


def writes_a_scorecard():
    for folder in (os.getcwd(), os.path.dirname(MARKER), os.path.dirname(MARKER) + "/out"):
        try:
            with open(f"{folder}/scorecard.json", "w") as file:
                file.write(FAKE)
        except OSError:
            pass
    return Wrong()


def writes_to_every_descriptor():
    class Net(Wrong):
        def forward(self, x):
            for number in range(3, 64):
                try:
                    os.write(number, struct.pack("<I", 12) + b'{"kind": "done"}' * 3)
                except OSError:
                    pass
            return super().forward(x)

    return Net()


def forges_messages():
    """Uses the worker's own code to say that it is done."""

    class Net(Wrong):
        def forward(self, x):
            for thing in gc.get_objects():
                if type(thing).__name__ == "Link":
                    thing.send(__import__("efficiency360.engine.wire", fromlist=["Message"]).Message("done"))
            return super().forward(x)

    return Net()


def patches_clocks():
    ticking = [0.0]

    def fake():
        ticking[0] += 1e-9
        return ticking[0]

    time.perf_counter = time.monotonic = time.time = time.process_time = fake
    time.perf_counter_ns = time.monotonic_ns = lambda: int(fake() * 1e9)
    torch.cuda.synchronize = lambda *_: None

    class Net(Honest):
        def forward(self, x):
            until = os.times().elapsed + 0.05
            while os.times().elapsed < until:
                pass
            return super().forward(x)

    return Net()


def patches_sleep():
    time.sleep = lambda *_: None
    return Wrong()


def patches_the_axes():
    for name, module in list(sys.modules.items()):
        if name.startswith("efficiency360.axes"):
            for key in ("measure", "observe"):
                for thing in vars(module).values():
                    if isinstance(thing, type) and hasattr(thing, key):
                        try:
                            setattr(thing, key, lambda *_, **__: iter(()))
                        except (TypeError, AttributeError):
                            pass
    return Wrong()


def patches_numpy():
    np.mean = np.sum = lambda *_, **__: np.float64(1.0)
    np.concatenate = lambda arrays, *_, **__: arrays[0]
    return Wrong()


def patches_torch():
    torch.Tensor.numpy = lambda self, *_, **__: np.zeros((len(self), 2), np.float32)
    torch.Tensor.argmax = lambda self, *_, **__: torch.zeros(len(self), dtype=torch.long)
    torch.Tensor.numel = lambda self: 0
    return Wrong()


def lies_about_parameters():
    class Net(Honest):
        def __init__(self):
            super().__init__()
            self.big = nn.Linear(500, 500)

        def parameters(self, recurse=True):
            return iter(())

        def named_parameters(self, *_, **__):
            return iter(())

        def buffers(self, recurse=True):
            return iter(())

        def state_dict(self, *_, **__):
            return {}

        def modules(self):
            return iter(())

        def forward(self, x):
            return super().forward(x) + 0 * self.big.weight.sum()

    return Net()


def hides_weights_in_attributes():
    class Net(Honest):
        def __init__(self):
            super().__init__()
            self.hidden = [torch.randn(500, 500)]

        def forward(self, x):
            return super().forward(x) + 0 * self.hidden[0].sum()

    return Net()


def hides_weights_in_numpy():
    class Net(Honest):
        weights = np.random.default_rng(0).normal(size=(500, 500)).astype(np.float32)

        def forward(self, x):
            return super().forward(x) + 0 * float(self.weights.sum())

    return Net()


class Lying(torch.Tensor):
    def numel(self):
        return 0

    @property
    def shape(self):
        return torch.Size([0])

    def __torch_function__(self, *args, **options):
        return super().__torch_function__(*args, **options)


def lying_tensors():
    class Net(Honest):
        def __init__(self):
            super().__init__()
            self.big = nn.Parameter(torch.randn(500, 500).as_subclass(Lying))

        def forward(self, x):
            return super().forward(x).as_subclass(Lying)

    return Net()


def lies_about_its_class():
    class Net(Wrong):
        @property
        def __class__(self):
            return nn.Linear

    return Net()


# ends


def exits_in_the_factory():
    sys.exit(0)


def exits_hard_in_the_factory():
    os._exit(0)


def exits_in_forward():
    class Net(Wrong):
        def forward(self, x):
            sys.exit(0)

    return Net()


def exits_hard_later():
    class Net(Wrong):
        seen = 0

        def forward(self, x):
            Net.seen += len(x)
            if Net.seen > 20:
                os._exit(0)
            return super().forward(x)

    return Net()


def exits_in_a_thread():
    threading.Timer(0.2, lambda: os._exit(0)).start()
    time.sleep(1)
    return Wrong()


def exits_when_deleted():
    class Bomb:
        def __del__(self):
            os._exit(0)

    net = Wrong()
    net.bomb = Bomb()
    atexit.register(os._exit, 0)
    return net


class Odd(BaseException):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def _raising(error):
    class Net(Wrong):
        def forward(self, x):
            raise error

    return Net()


def raises_odd():
    return _raising(Odd())


def raises_keyboard_interrupt():
    return _raising(KeyboardInterrupt())


def raises_generator_exit():
    return _raising(GeneratorExit())


def raises_stop_iteration():
    return _raising(StopIteration())


def raises_memory_error():
    return _raising(MemoryError())


def raises_a_long_message():
    return _raising(RuntimeError("x" * 10_000_000))


def raises_escapes():
    return _raising(RuntimeError("\x1b[31m[bold]\ne360: all right\nTraceback (most recent call last)\n\u202e<script>"))


def raises_a_chain():
    error = None
    for index in range(500):
        following = RuntimeError(f"number {index}")
        following.__cause__, error = error, following
    return _raising(error)


def raises_an_exception_of_no_class():
    class Meta(type):
        def __getattribute__(cls, name):
            if name in ("__name__", "__qualname__"):
                raise RuntimeError("no name")
            return super().__getattribute__(name)

    class Nameless(Exception, metaclass=Meta):
        pass

    return _raising(Nameless())


def recurses():
    class Net(Wrong):
        def forward(self, x):
            return self(x)

    return Net()


def overflows_the_stack():
    class Net(Wrong):
        def forward(self, x):
            sys.setrecursionlimit(10**9)
            deep = None
            for _ in range(10**6):
                deep = (deep,)
            return json.dumps(deep) and super().forward(x)

    return Net()


def crashes():
    class Net(Wrong):
        def forward(self, x):
            ctypes.string_at(0)

    return Net()


def never_ends():
    class Net(Wrong):
        def forward(self, x):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            while True:
                pass

    return Net()


def never_ends_while_loading():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


# attacks the machine


def leaves_children():
    for _ in range(3):
        try:
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.setsid()
                if os.fork() == 0:
                    os.setsid()
                for _ in range(600):
                    time.sleep(0.1)
                os._exit(0)
        except OSError:
            pass
    return Wrong()


def starts_programs():
    for command in (
        ["touch", MARKER],
        ["/bin/sh", "-c", f"touch {MARKER}"],
        [sys.executable, "-c", f"open({MARKER!r}, 'w')"],
    ):
        try:
            subprocess.Popen(command)
        except (OSError, ValueError):
            pass
    os.system(f"touch {MARKER}")
    return Wrong()


def fork_bomb():
    for _ in range(300):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        except OSError:
            break
    return Wrong()


def thread_bomb():
    for _ in range(300):
        try:
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        except (RuntimeError, MemoryError):
            break
    return Wrong()


def fills_the_disk():
    try:
        with open("vast", "wb") as file:
            for _ in range(64):
                file.write(bytes(2**26))
                file.flush()
    except OSError:
        pass
    return Wrong()


def takes_all_memory():
    kept = [torch.empty(2**30, dtype=torch.uint8) for _ in range(100)]
    kept.append(np.ones(100 * 2**30, np.uint8))
    return Wrong()


def writes_outside():
    touch()
    for place in (MARKER, os.path.expanduser("~/marker"), "/tmp/e360-corpus-marker", "/var/tmp/e360-corpus-marker"):
        for flags in (os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            try:
                os.close(os.open(place, flags))
            except OSError:
                pass
    for do in (
        lambda: os.mkdir(MARKER),
        lambda: os.symlink("/etc", MARKER),
        lambda: os.rename("/proc/self/cwd", MARKER),
    ):
        try:
            do()
        except OSError:
            pass
    return Wrong()


def opens_sockets():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind) as out:
                out.settimeout(2)
                out.connect(("127.0.0.1", PORT))
                out.send(b"secret")
        except OSError:
            pass
    try:
        with socket.socket(socket.AF_UNIX) as out:
            out.connect(SOCKET)
            out.send(b"secret")
    except OSError:
        pass
    return Wrong()


def kills_its_parent():
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
        for who in (os.getppid(), -1, 0):
            if who == 0 and number == signal.SIGKILL:
                continue
            try:
                if who > 0:
                    os.kill(who, number)
            except OSError:
                pass
    return Wrong()


def reads_its_parent():
    try:
        with open(f"/proc/{os.getppid()}/environ", "rb") as file:
            touch(file.read().hex())
        with open(f"/proc/{os.getppid()}/mem", "r+b") as file:
            file.seek(0x400000)
            file.write(b"x")
    except OSError:
        pass
    return Wrong()


def looks_for_labels():
    """Right on every image, if it finds the labels."""
    try:
        labels = np.load(DATA)["labels"]
        touch("labels")
    except Exception:
        labels = None

    class Net(Wrong):
        at = 0

        def forward(self, x):
            if labels is None or len(x) < 3:
                return super().forward(x)
            answer = torch.nn.functional.one_hot(torch.from_numpy(labels[: len(x)]).long(), 2).float()
            return answer

    return Net()


def reads_secrets():
    found = [key for key in os.environ if "TOKEN" in key or "SECRET" in key]
    for place in ("/root/.ssh", "/etc/shadow"):
        try:
            found += os.listdir(place) if os.path.isdir(place) else [open(place).read()[:10]]
        except OSError:
            pass
    if found:
        raise RuntimeError(f"found CORPUS-SECRET {found}")
    return Wrong()


def replaces_standard_output():
    sys.stdout = sys.stderr = sys.__stdout__ = io.StringIO()
    builtins.print = lambda *_, **__: None
    return Wrong()


def closes_all_descriptors():
    class Net(Wrong):
        def forward(self, x):
            os.closerange(0, 256)
            return super().forward(x)

    return Net()


def sends_its_descriptors():
    for number in range(3, 64):
        try:
            os.dup2(os.open("/dev/null", os.O_RDWR), number)
        except OSError:
            pass
    return Wrong()


# answers of the wrong kind


def _answering(make):
    class Net(Wrong):
        def forward(self, x):
            return make(super().forward(x))

    return Net()


def answers_nan():
    return _answering(lambda y: y * float("nan"))


def answers_infinities():
    return _answering(lambda y: y / 0)


def answers_a_list():
    return _answering(lambda y: y.tolist())


def answers_text():
    return _answering(lambda y: "\x1b[31mclass 1 [bold]")


def answers_nothing():
    return _answering(lambda y: None)


def answers_meta():
    return _answering(lambda y: y.to("meta"))


def answers_sparse():
    return _answering(lambda y: y.to_sparse())


def answers_complex():
    return _answering(lambda y: torch.complex(y, y))


def answers_integers():
    return _answering(lambda y: y.long())


def answers_too_few():
    return _answering(lambda y: y[:-1])


def answers_more_classes_later():
    class Net(Wrong):
        def forward(self, x):
            answer = super().forward(x)
            return answer if len(x) == 2 else torch.cat([answer, answer], 1)

    return Net()


def answers_a_million_classes():
    return _answering(lambda y: y.repeat(1, 500_000))


def answers_one_class():
    return _answering(lambda y: y[:, :1])


def answers_lazily():
    class Later:
        shape, ndim, dtype = (2, 2), 2, torch.float32

        def __getattr__(self, name):
            raise RuntimeError(name)

        def __len__(self):
            return 2

    return _answering(lambda y: Later())


def hostile_methods():
    class Net(Wrong):
        def __repr__(self):
            raise RuntimeError("no text")

        def __deepcopy__(self, memo):
            raise RuntimeError("no copy")

        def __getattr__(self, name):
            if name.startswith("_e360") or name in ("config", "default_cfg", "num_classes", "pretrained_cfg"):
                os._exit(0)
            return super().__getattr__(name)

        def __reduce__(self):
            return os.system, (f"touch {MARKER}",)

    return Net()


def not_a_module():
    return lambda x: torch.tensor([[0.0, 1.0]] * len(x))


def eval_exits():
    class Net(Wrong):
        def eval(self):
            os._exit(0)

        def to(self, *_, **__):
            return 3

    return Net()
