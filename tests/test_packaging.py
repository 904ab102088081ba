"""The wheel carries what an editable install reads from the repository."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest

from efficiency360 import schema, spec


@pytest.fixture(scope="module")
def unpacked_wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_carries_audits_templates_weights_and_schema(unpacked_wheel):
    program = (
        "from efficiency360 import spec, schema, zoo;"
        "from efficiency360.render import html;"
        "print(sorted(spec.audit_names()), schema.PUBLISHED.exists(), zoo.weights('digits_transformer').exists(),"
        " spec.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=unpacked_wheel,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{spec.audit_names()} True True {unpacked_wheel}")


def test_an_editable_install_reads_the_folder_itself(root):
    assert spec.bundled_audits() == root / "audits"
    assert {"quick", "release"} <= set(spec.audit_names())


def test_the_published_schema_is_the_one_that_the_records_make():
    assert json.loads(schema.PUBLISHED.read_text()) == schema.scorecard_schema(), "run `make schema`"
