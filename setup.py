"""Build the two kinds of native module: the crate (by maturin) and the hot modules (by Cython).

Everything else about the distribution stands in pyproject.toml.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# What a request goes through, of rooms where more than that is done.
NET = ["interfaces", "ports", "roles", "uri"]
RPC = ["bencode", "dispatcher", "encoding", "flags", "ng", "reply_cache", "requests"]
SESSIONS = [
    "admission",
    "branch",
    "call",
    "calls",
    "closed",
    "legs",
    "plan",
    "report",
    "rewritten",
    "section",
    "session_level",
    "table",
    "terms",
]
# Compiled in pure-Python mode: the same files also run as they are.
HOT_MODULES = [
    "msrprelay/chance.py",
    "msrprelay/commands.py",
    "msrprelay/loop/*.py",
    *(f"msrprelay/net/{name}.py" for name in NET),
    "msrprelay/offer_answer/*.py",
    *(f"msrprelay/rpc/{name}.py" for name in RPC),
    "msrprelay/sdp/*.py",
    *(f"msrprelay/sessions/{name}.py" for name in SESSIONS),
]


class Crate(Extension):
    """A PyO3 crate, built by maturin and put where a dotted module name belongs."""

    def __init__(self, name: str, manifest: str) -> None:
        super().__init__(name, sources=[])
        self.manifest = manifest


class BuildExt(build_ext):
    """`build_ext` that hands crates to maturin."""

    def build_extension(self, ext: Extension) -> None:
        if not isinstance(ext, Crate):
            super().build_extension(ext)
            return
        # In a virtual environment that is not activated, maturin stands beside the interpreter.
        beside = str(Path(sys.executable).parent)
        maturin = shutil.which("maturin") or shutil.which("maturin", path=beside)
        if maturin is None:
            sys.exit("msrprelay: maturin is needed: pip install maturin")
        if shutil.which("cargo") is None:
            sys.exit("msrprelay: a Rust toolchain is needed: install it from https://rustup.rs")
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as out:
            # Not the interpreter of this environment: for another one all would be compiled again.
            options = ["-i", sys._base_executable, "-m", ext.manifest, "-o", out]
            # "off": the wheel maturin makes is only a carrier, its platform tag is never seen.
            command = [maturin, "build", "--release", "--locked", "--compatibility", "off"]
            subprocess.run([*command, *options], check=True)
            (wheel,) = Path(out).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (member,) = (name for name in archive.namelist() if name.endswith(".so"))
                # A new file, not new bytes in the old one: a running process may have it mapped.
                target.unlink(missing_ok=True)
                target.write_bytes(archive.read(member))


modules = cythonize(
    HOT_MODULES, exclude=["**/__init__.py"], build_dir="build/cython", language_level=3
)
for module in modules:
    # Some interpreters are built with -O3 -g: no faster, longer to compile, six times the size.
    module.extra_compile_args = ["-O2", "-g0"]

setup(
    ext_modules=[
        *modules,
        Crate("msrprelay._native", manifest="native/py/Cargo.toml"),
    ],
    cmdclass={"build_ext": BuildExt},
    # The C compiler takes minutes for all of them one after the other.
    options={"build_ext": {"parallel": os.cpu_count()}},
)
