"""Build the two kinds of native module: the crate (by maturin) and the hot modules (by Cython).

Everything else about the distribution stands in pyproject.toml.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer

COMPILED = runpy.run_path("msrprelay/compiled.py")
# Not in a folder of each build's own: it is by the path of an object that its profile is found.
OBJECTS = Path("build", f"objects-{sys.implementation.cache_tag}")
# Some interpreters are built with -O3 -g: no faster, and six times the size.
OPTIONS = ("-O2", "-g0")
RECORDING = ("-fprofile-generate",)
# Code that has changed since the profile was recorded is built as if there were none.
PROFILED = ("-fprofile-use", "-flto=auto", "-Wno-missing-profile", "-Wno-coverage-mismatch")


def compiler_options() -> tuple[str, ...]:
    """How the hot modules are compiled and linked; docs/decisions/0020-laid-out-by-a-profile.md."""
    if os.environ.get("MSRPRELAY_PROFILE") == "record":
        return OPTIONS + RECORDING
    recorded = any(OBJECTS.rglob("*.gcda"))
    return OPTIONS + PROFILED if recorded else OPTIONS


def make_room(chosen: tuple[str, ...]) -> None:
    """Remove objects that were compiled otherwise, and the profile that is to be recorded again."""
    written = OBJECTS / "options"
    wanted = " ".join((sysconfig.get_path("include"), *chosen))
    if not written.exists() or written.read_text() != wanted:
        for path in OBJECTS.rglob("*.o"):
            path.unlink()
    if chosen == OPTIONS + RECORDING:
        for path in OBJECTS.rglob("*.gcda"):
            path.unlink()
    OBJECTS.mkdir(parents=True, exist_ok=True)
    written.write_text(wanted)


class Crate(Extension):
    """A PyO3 crate, built by maturin and put where a dotted module name belongs."""

    def __init__(self, name: str, manifest: str) -> None:
        super().__init__(name, sources=[])
        self.manifest = manifest


class BuildExt(build_ext):
    """`build_ext` that hands crates to maturin."""

    def build_extension(self, ext: Extension) -> None:
        if isinstance(ext, Crate):
            self.build_crate(ext)
        else:
            self.build_library(ext)

    def build_library(self, ext: Extension) -> None:
        """One library of many modules; the compiler takes minutes for them one after the other."""
        chosen = compiler_options()
        make_room(chosen)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(partial(self.build_object, chosen), ext.sources))
        target = Path(self.get_ext_fullpath(ext.name))
        # A new file, not new bytes in the old one: a running process may have it mapped.
        target.unlink(missing_ok=True)
        self.compiler.link_shared_object(objects, str(target), extra_postargs=list(chosen))

    def build_object(self, chosen: tuple[str, ...], source: str) -> str:
        """Compile one source, if it is newer than what there is of it."""
        (name,) = self.compiler.object_filenames([source], output_dir=str(OBJECTS))
        if newer(source, name):
            self.compiler.compile([source], output_dir=str(OBJECTS), extra_postargs=list(chosen))
        return name

    def build_crate(self, ext: Crate) -> None:
        """What maturin makes of it."""
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
    [name.replace(".", "/") + ".py" for name in COMPILED["names"]()],
    build_dir="build/cython",
    language_level=3,
)

setup(
    ext_modules=[
        Extension(
            "msrprelay." + COMPILED["LIBRARY"],
            sources=[source for module in modules for source in module.sources],
        ),
        Crate("msrprelay._native", manifest="native/py/Cargo.toml"),
    ],
    cmdclass={"build_ext": BuildExt},
)
