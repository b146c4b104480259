# SPDX-License-Identifier: Apache-2.0
"""What pip asks to make a wheel of this folder (PEP 517): meson builds the extension for the Python that runs this, with keeper,
worker and reporter inside; the wheel is that, the modules, the shipped interfaces.

Needs meson, ninja, a C compiler and the libraries that tools/setup installs; nothing of PyPI.
"""

import base64
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def _project():
    return tomllib.loads((HERE / "pyproject.toml").read_text())["project"]


def _tag():
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"{python}-{python}-{platform}"


def _metadata():
    project = _project()
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License: {project['license']['text']}",
        f"Requires-Python: {project['requires-python']}",
        "Description-Content-Type: text/markdown",
        "",
        (HERE / "README.md").read_text(),
    ]
    return "\n".join(lines)


def _build(folder):
    """The extension, built in @folder; its path."""
    options = ["-Dbuildtype=release", "-Dtests=disabled", f"-Dpython={sys.executable}"]
    subprocess.run(["meson", "setup", folder, ROOT, *options], check=True, stdout=sys.stderr)
    introspected = subprocess.run(
        ["meson", "introspect", "--targets", folder], check=True, capture_output=True, text=True
    )
    targets = [t for t in json.loads(introspected.stdout) if t["name"].partition(".")[0] == "_cordon"]
    if not targets:
        raise SystemExit(f"meson found no headers of {sys.executable}: is python3-dev installed?")
    built = pathlib.Path(targets[0]["filename"][0])
    subprocess.run(["ninja", "-C", folder, built.relative_to(pathlib.Path(folder).resolve())], check=True, stdout=sys.stderr)
    subprocess.run(["strip", "--strip-debug", built], check=True)
    return built


class _Wheel:
    """A zip file with the record of what is in it."""

    def __init__(self, path, info):
        self.file = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self.info = info
        self.record = []

    def add(self, name, data, mode=0o644):
        entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))  # the same bytes each time
        entry.external_attr = (0o100000 | mode) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        self.file.writestr(entry, data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self.record.append(f"{name},sha256={digest},{len(data)}")

    def close(self):
        name = f"{self.info}/RECORD"
        self.record.append(f"{name},,")
        self.file.writestr(name, "\n".join(self.record) + "\n")
        self.file.close()


def _wheel_lines():
    return f"Wheel-Version: 1.0\nGenerator: cordon\nRoot-Is-Purelib: false\nTag: {_tag()}\n"


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    project = _project()
    info = f"{project['name']}-{project['version']}.dist-info"
    folder = pathlib.Path(metadata_directory) / info
    folder.mkdir()
    (folder / "METADATA").write_text(_metadata())
    (folder / "WHEEL").write_text(_wheel_lines())
    return info


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = _project()
    info = f"{project['name']}-{project['version']}.dist-info"
    name = f"{project['name']}-{project['version']}-{_tag()}.whl"
    with tempfile.TemporaryDirectory() as folder:
        extension = _build(folder)
        wheel = _Wheel(os.path.join(wheel_directory, name), info)
        wheel.add(f"cordon/{extension.name}", extension.read_bytes(), 0o755)
    for path in sorted([*(HERE / "cordon").glob("*.py"), *(HERE / "cordon").glob("*.pyi"), HERE / "cordon" / "py.typed"]):
        wheel.add(f"cordon/{path.name}", path.read_bytes())
    for path in sorted((ROOT / "interfaces").glob("*.cordon")):
        wheel.add(f"cordon/interfaces/{path.name}", path.read_bytes())
    wheel.add(f"{info}/METADATA", _metadata().encode())
    wheel.add(f"{info}/WHEEL", _wheel_lines().encode())
    wheel.add(f"{info}/LICENSE", (ROOT / "LICENSE").read_bytes())
    wheel.close()
    return name


def build_sdist(sdist_directory, config_settings=None):
    """All that is under version control: the package is a part of the whole."""
    project = _project()
    base = f"{project['name']}-{project['version']}"
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True)
    with tarfile.open(os.path.join(sdist_directory, f"{base}.tar.gz"), "w:gz") as archive:
        for name in listed.stdout.decode().split("\0"):
            if name:
                archive.add(ROOT / name, f"{base}/{name}")
        text = (HERE / "pyproject.toml").read_text().replace('backend-path = ["."]', 'backend-path = ["python"]')
        text = text.replace('readme = "README.md"', 'readme = "python/README.md"')
        entry = tarfile.TarInfo(f"{base}/pyproject.toml")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{base}.tar.gz"
