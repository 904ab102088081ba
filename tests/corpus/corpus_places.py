"""What is no regular file, what lies beside a model, and names that would do something to whoever shows them."""

from __future__ import annotations

import io
import json
import os
import socket
import zipfile
from pathlib import Path

import numpy as np
from corpus_kit import MARKER, Site, add, hostile, run_of, saved, state, whole, write_zip
from safetensors.torch import save as safetensors_bytes


@hostile("no such file")
def missing(site: Site) -> Path:
    return site.file("nothing.pt")


@hostile()
def folder(site: Site) -> Path:
    site.file("model").mkdir()
    return site.file("model")


@hostile("not a regular file")
def pipe(site: Site) -> Path:
    os.mkfifo(site.file("model.pt"))
    return site.file("model.pt")


@hostile("not a regular file")
def unix_socket(site: Site) -> Path:
    listener = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(site.folder)  # the path of a socket is at most 107 bytes long
    try:
        listener.bind("model.pt")
    finally:
        os.chdir(before)
        listener.close()
    return site.file("model.pt")


for _device in ("/dev/zero", "/dev/random", "/dev/null", "/dev/tty", "/proc/self/mem", "/proc/self/environ"):
    add(f"device{_device.replace('/', '_')}", lambda _, device=_device: Path(device))


@hostile("symbolic links")
def link_to_itself(site: Site) -> Path:
    site.file("model.pt").symlink_to("model.pt")
    return site.file("model.pt")


@hostile()
def links_in_a_circle(site: Site) -> Path:
    site.file("model.pt").symlink_to("other.pt")
    site.file("other.pt").symlink_to("model.pt")
    return site.file("model.pt")


@hostile("not a regular file")
def link_to_a_device(site: Site) -> Path:
    site.file("model.pt").symlink_to("/dev/zero")
    return site.file("model.pt")


@hostile("a link to a file that does not exist")
def link_to_nothing(site: Site) -> Path:
    site.file("model.pt").symlink_to("gone.pt")
    return site.file("model.pt")


@hostile()
def vast_and_empty(site: Site) -> Path:
    """A terabyte that takes no place on the disk."""
    with site.file("model.pt").open("wb") as file:
        file.truncate(2**40)
    return site.file("model.pt")


@hostile()
def vast_behind_a_pickle(site: Site) -> Path:
    with site.file("model.pt").open("wb") as file:
        file.write(whole(run_of("os", "system", site.touch)))
        file.truncate(2**40)
    return site.file("model.pt")


@hostile()
def vast_behind_a_safetensors_header(site: Site) -> Path:
    with site.file("model.safetensors").open("wb") as file:
        file.write(safetensors_bytes(state()))
        file.truncate(2**36)
    return site.file("model.safetensors")


@hostile()
def name_with_a_nul(site: Site) -> Path:
    return Path(f"{site.folder}/a\0b.pt")


@hostile()
def name_too_long(site: Site) -> Path:
    return site.file("x" * 5000 + ".pt")


@hostile()
def name_empty(_: Site) -> Path:
    return Path()


@hostile("--")
def name_like_an_option(site: Site) -> Path:
    """Given as it is, not behind `--`."""
    saved(site.file("-model.pt"), state())
    return Path("-model.pt")


NAMES = {
    "lines": "two\nlines.pt",
    "escapes": "\x1b[31mred\x1b[0m\x1b]8;;https:evil.example\x07.pt",
    "markup": "[bold red]b[] [link=https:evil].pt",
    "html": "<script>alert(1).pt",
    "bidi": "\u202egnp.pt",
    "bytes": os.fsdecode(b"\xff\xfe.pt"),
    "formula": "=cmd|' c calc'!A1.pt",
    "template": "{{ 7 * 7 }}{0}%s.pt",
}
for _name, _file in NAMES.items():

    def _text(site: Site, file: str = _file) -> Path:
        site.file(file).write_bytes(b"no model\n")
        return site.file(file)

    def _payload(site: Site, file: str = _file) -> Path:
        return write_zip(site.file(file), run_of("os", "system", site.touch))

    add(f"name_{_name}_of_text", _text)
    add(f"name_{_name}_of_a_payload", _payload, runs=True)


def _python(site: Site, name: str) -> None:
    site.file(name).write_text(f"{site.code}\n\ndef net(**options):\n    {site.code}\n    raise SystemExit(0)\n")


def _manifest(site: Site, text: str) -> Path:
    _python(site, "evil.py")
    saved(site.file("model.pt"), state())
    site.file("model.toml").write_text(text)
    return site.file("model.pt")


MANIFESTS = {
    "names_a_factory": '[model]\narch = "evil.py:net"\n',
    "names_a_factory_elsewhere": '[model]\narch = "./././evil.py:net"\n',
    "names_a_module": '[model]\narch = "os:system"\n',
    "names_another_file": '[model]\nfile = "../other.pt"\narch = "zoo:digits_cnn"\n',
    "has_an_unknown_key": '[model]\ncode = "import os"\n',
    "is_no_toml": "[model\n",
    "is_binary": "\0\1\2\x1b[31m",
    "is_deep": "[model]\narch = " + "[" * 20_000,
    "has_a_vast_size": '[model]\narch = "zoo:digits_cnn"\n[preprocess]\nsize = 99999999999999999999\n',
    "has_escapes": '[model]\narch = "\\u001b[31m[bold]<script>\\n"\n',
}
for _name, _content in MANIFESTS.items():
    add(f"manifest_{_name}", lambda site, text=_content: _manifest(site, text), options=("--arch", ""))


@hostile(options=("--arch", ""))
def manifest_of_bad_bytes(site: Site) -> Path:
    path = _manifest(site, "")
    site.file("model.toml").write_bytes(b"[model]\narch = '\xff\xfe'\n")
    return path


def _huggingface(site: Site, config: dict[str, object], weights: bytes | None = None) -> Path:
    path = site.file("repository")
    path.mkdir()
    path.joinpath("config.json").write_text(json.dumps(config))
    source = f"{site.code}\n\nclass Evil:\n    def __init__(self, *args, **options):\n        {site.code}\n"
    for name in ("modeling_evil.py", "configuration_evil.py", "__init__.py"):
        path.joinpath(name).write_text(source)
    if weights is not None:
        path.joinpath("model.safetensors").write_bytes(weights)
    return path


_AUTO = {"AutoConfig": "configuration_evil.Evil", "AutoModelForImageClassification": "modeling_evil.Evil"}
REPOSITORIES: dict[str, dict[str, object]] = {
    "auto_map": {"model_type": "evil", "auto_map": _AUTO, "architectures": ["Evil"]},
    "trust_remote_code": {"model_type": "evil", "trust_remote_code": True, "auto_map": _AUTO},
    "known_type_with_auto_map": {"model_type": "vit", "auto_map": _AUTO, "architectures": ["Evil"]},
    "architecture_is_code": {"architecture": "__import__('os').system('x')", "num_classes": 3},
    "architecture_is_a_path": {"architecture": "../../modeling_evil", "pretrained_cfg": {"url": "file:///etc/passwd"}},
    "vast_numbers": {"model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 2**40},
    "language_model": {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
}
for _name, _config in REPOSITORIES.items():
    add(
        f"huggingface_{_name}",
        lambda site, config=_config: _huggingface(site, config, safetensors_bytes(state())),
        options=("--arch", ""),
    )


@hostile(options=("--arch", ""))
def huggingface_pickle_only(site: Site) -> Path:
    path = _huggingface(site, {"model_type": "vit", "architectures": ["ViTForImageClassification"]})
    write_zip(path / "pytorch_model.bin", run_of("os", "system", site.touch))
    return path


@hostile(options=("--arch", ""))
def huggingface_index_climbs(site: Site) -> Path:
    path = _huggingface(site, {"model_type": "vit", "architectures": ["ViTForImageClassification"]})
    index = {"metadata": {}, "weight_map": {"a": "../../../etc/passwd", "b": str(site.marker)}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    return path


@hostile(options=("--arch", ""))
def huggingface_config_is_no_json(site: Site) -> Path:
    path = _huggingface(site, {}, safetensors_bytes(state()))
    (path / "config.json").write_bytes(b"{\xff\x1b[31m")
    return path


@hostile(options=("--arch", ""))
def huggingface_config_is_a_pipe(site: Site) -> Path:
    path = _huggingface(site, {}, safetensors_bytes(state()))
    (path / "config.json").unlink()
    os.mkfifo(path / "config.json")
    return path


@hostile(options=("--arch", ""))
def huggingface_config_is_deep(site: Site) -> Path:
    path = _huggingface(site, {}, safetensors_bytes(state()))
    (path / "config.json").write_text('{"a":' + "[" * 100_000)
    return path


def _weights_with_data(site: Site, data: Path) -> Path:
    """Good weights, beside the data that --data names."""
    assert data == site.file("data.npz")
    return saved(site.file("model.pt"), state())


class _Touch:
    def __init__(self, site: Site) -> None:
        self.site = site

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.system, (self.site.touch,)


def _npz(site: Site, **members: bytes) -> Path:
    with zipfile.ZipFile(site.file("data.npz"), "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return _weights_with_data(site, site.file("data.npz"))


def _npy(shape: str, descr: str = "|u1", content: bytes = b"") -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + content


DATA = ("--data", "data.npz")


@hostile(options=DATA)
def data_of_objects(site: Site) -> Path:
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Touch(site)], dtype=object), allow_pickle=True)
    return _npz(site, images=buffer.getvalue(), labels=buffer.getvalue())


@hostile(options=DATA)
def data_shape_overflows(site: Site) -> Path:
    return _npz(site, images=_npy("(4294967296, 4294967296)"))


@hostile(options=DATA)
def data_shape_is_code(site: Site) -> Path:
    return _npz(site, images=_npy(f"__import__('os').system({site.touch!r})"))


@hostile(options=DATA)
def data_shape_negative(site: Site) -> Path:
    return _npz(site, images=_npy("(-4, 8, 8)"))


@hostile(options=DATA)
def data_is_a_pickle(site: Site) -> Path:
    site.file("data.npz").write_bytes(whole(run_of("os", "system", site.touch)))
    return _weights_with_data(site, site.file("data.npz"))


@hostile(options=DATA)
def data_members_climb(site: Site) -> Path:
    with zipfile.ZipFile(site.file("data.npz"), "w") as archive:
        archive.writestr(f"../../../../{MARKER}.npy", _npy("(1,)", content=b"1"))
    return _weights_with_data(site, site.file("data.npz"))


@hostile(options=DATA)
def data_is_a_pipe(site: Site) -> Path:
    os.mkfifo(site.file("data.npz"))
    return _weights_with_data(site, site.file("data.npz"))


@hostile("NumPy")
def model_is_an_npz_of_objects(site: Site) -> Path:
    with site.file("model.npz").open("wb") as file:
        np.savez(file, a=np.array([_Touch(site)], dtype=object))
    return site.file("model.npz")


@hostile("NumPy")
def model_is_an_npy_of_objects(site: Site) -> Path:
    with site.file("model.npy").open("wb") as file:
        np.save(file, np.array([_Touch(site)], dtype=object))
    return site.file("model.npy")
