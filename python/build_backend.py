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
import shutil
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


def _run(*command):
    """Its output goes where pip shows it; what fails says so by itself."""
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode != 0:
        raise SystemExit(f"{command[0]} failed, see above. Is all installed that building Cordon needs (tools/setup)?")


def _check_tools():
    """One sentence for what is missing, before anything is tried."""
    if not (ROOT / "meson.build").exists():
        raise SystemExit(f"the package is built in Cordon's source tree, and {ROOT} is none: pip install CHECKOUT/python")
    if not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise SystemExit(f"no Python.h for {sys.executable}: install its headers (Debian: python3-dev)")
    compilers = ["cc", "gcc", "clang"] if "CC" not in os.environ else [os.environ["CC"].split()[0]]
    missing = [tool for tool in ("meson", "ninja") if not shutil.which(tool)]
    missing += [] if any(shutil.which(compiler) for compiler in compilers) else ["a C compiler (gcc)"]
    if missing:
        raise SystemExit(f"building Cordon needs {', '.join(missing)}; in the source tree, tools/setup installs what it takes on Debian")


def _configure(folder):
    """Have @folder ready for ninja; where it will put the extension."""
    options = ["-Dbuildtype=release", "-Dwerror=false", "-Dtests=disabled", f"-Dpython={sys.executable}"]
    _check_tools()
    _run("meson", "setup", folder, ROOT, *options)
    introspected = subprocess.run(
        ["meson", "introspect", "--targets", folder], check=True, capture_output=True, text=True
    )
    targets = [t for t in json.loads(introspected.stdout) if t["name"].partition(".")[0] == "_cordon"]
    if not targets:
        raise SystemExit("this configuration builds no package: is a library missing (tools/setup)?")
    return pathlib.Path(targets[0]["filename"][0])


def _build(folder):
    """The extension, built in @folder; its path."""
    built = _configure(folder)
    _run("ninja", "-C", folder, built.relative_to(pathlib.Path(folder).resolve()))
    if shutil.which("strip"):
        _run("strip", "--strip-debug", built)
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
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=False, capture_output=True)
    if listed.returncode != 0:
        raise SystemExit(f"a source distribution is what is under version control, and {ROOT} is no git checkout")
    with tarfile.open(os.path.join(sdist_directory, f"{base}.tar.gz"), "w:gz") as archive:
        for name in listed.stdout.decode().split("\0"):
            if name and os.path.lexists(ROOT / name):  # else it has been removed, and that not yet committed
                archive.add(ROOT / name, f"{base}/{name}")
        text = (HERE / "pyproject.toml").read_text().replace('backend-path = ["."]', 'backend-path = ["python"]')
        text = text.replace('readme = "README.md"', 'readme = "python/README.md"')
        for name, content in (("pyproject.toml", text), ("PKG-INFO", _metadata())):
            entry = tarfile.TarInfo(f"{base}/{name}")
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return f"{base}.tar.gz"
