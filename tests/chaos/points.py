"""Kills at the points of the data path: behind each system call, between the stores of records.

The extension is built with the feature `kill-points` and put into a copy of the package; one relay
process of two kills itself at the n-th point that it passes.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msrprelay

from .relay import ChaosRelay, is_alive, kill, wait_until
from .storm import Plan, scene
from .verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(msrprelay.__file__).parent
LIBRARY = ROOT / "native" / "target" / "release" / "lib_native.so"
EXTENSION = "_native" + str(sysconfig.get_config_var("EXT_SUFFIX"))
# Points: the first ones are those of the adoption.
FIRST, LAST = 1, 1 << 15
ORDER = "MSRPRELAY_KILL_ORDER"
HOOK = f"""
_order = os.environ.get("{ORDER}", "")
if os.path.exists(_order):
    with open(_order) as _file:
        os.environ["MSRPRELAY_KILL_AFTER"] = _file.read()
    os.remove(_order)

if __name__ == "__main__":"""


def points(plan: Plan) -> Verdict:
    """As many kills at points as at random instants, each after one of the others."""
    dice = random.Random(plan.seed)
    with package() as (copy, order), scene(plan, ChaosRelay(keeper=True, package=copy)) as on:
        for _ in range(plan.kills // 2):
            if not on.crowd.link.endless:
                break
            number = round(FIRST * (LAST / FIRST) ** dice.random())
            order.write_text(str(number))
            on.relay.await_settled()
            at = _doom(on.relay, order)
            on.recovered(at, on.faults.kills, f"a kill at point {number}")
        verdict = on.verdict("points")
    verdict.require(kills=plan.kills // 2)
    return verdict


def _doom(relay: ChaosRelay, order: Path) -> float:
    """Kill a relay process, and wait until its successor has killed itself; when it began."""
    old = relay.relay_pid()
    at = kill(old)
    doomed = relay.relay_pid(but=old)
    wait_until("nobody takes the order", lambda: not order.exists())
    wait_until("the point is not reached", lambda: not is_alive(doomed))
    return at


@contextlib.contextmanager
def package() -> Iterator[tuple[Path, Path]]:
    """A folder with a package that can be told where to die, and the file that tells it."""
    build = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "msrprelay-native"]
    subprocess.run([*build, "--features", "kill-points"], cwd=ROOT / "native", check=True)
    with tempfile.TemporaryDirectory(prefix="msrprelay-chaos-") as folder:
        copy = Path(folder, "msrprelay")
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "_native.*.so"))
        shutil.copy(LIBRARY, copy / EXTENSION)
        entry = copy / "process" / "entry.py"
        entry.write_text(entry.read_text().replace('\nif __name__ == "__main__":', HOOK))
        order = Path(folder, "order")
        os.environ[ORDER] = str(order)
        try:
            yield Path(folder), order
        finally:
            del os.environ[ORDER]
