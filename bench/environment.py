"""What a run took place on, for the record beside its results."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .peers import BASELINES, RECIPES
from .place import Place
from .processes import ROOT, Unavailable, find

__all__ = ["environment"]

# An established connection that an epoll watches.
LEG_OBJECTS = ("TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi")
VERSION_ARGUMENTS = {"haproxy": "-v", "nginx": "-v", "socat": "-V", "kamailio": "-v"}


def environment(place: Place) -> dict[str, Any]:
    """Commit, machine, kernel, privileges, settings and configurations."""
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": output("git", "rev-parse", "HEAD"),
        "changed": bool(output("git", "status", "--porcelain", "msrprelay", "native", "bench")),
        "kernel": platform.release(),
        "processor": processor(),
        "cores": sorted(os.sched_getaffinity(0)),
        "systems_on": place.systems.cores,
        "generator_on": place.generator.cores,
        "load_average": os.getloadavg(),
        "python": interpreter(),
        "uid": os.geteuid(),
        "capabilities": capabilities(),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "kernel_bytes_per_leg": kernel_bytes_per_leg(),
        "pipe_pages_for_a_user": proc("sys/fs/pipe-user-pages-soft"),
        "settings": place.settings,
        "congestion_control_outside": proc("sys/net/ipv4/tcp_congestion_control"),
        "versions": versions(),
        "configurations": configurations(),
    }


def processor() -> str:
    """The model, as the kernel names it."""
    found = re.search(r"^model name\s*: (.*)$", proc("cpuinfo"), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def interpreter() -> str:
    """Which Python, and whether it is the system's: builds differ in speed."""
    whose = "the system's" if sys.base_prefix == "/usr" else "not the system's"
    return f"Python {platform.python_version()}, {whose}"


def capabilities() -> str:
    """The effective set, in hexadecimal: 0 is none at all."""
    found = re.search(r"^CapEff:\s*(\S+)$", proc("self/status"), re.MULTILINE)
    return found.group(1) if found else "unknown"


def kernel_bytes_per_leg() -> int | None:
    """What the kernel allocates for an idle connection; None where it does not say."""
    try:
        slabs = proc("slabinfo")
    except PermissionError:
        return None
    sizes = dict(re.findall(r"^(\w+) +\d+ +\d+ +(\d+)", slabs, re.MULTILINE))
    return sum(int(sizes.get(name, 0)) for name in LEG_OBJECTS)


def versions() -> dict[str, str]:
    """First lines of what the peers say of themselves."""
    found = {}
    for program, argument in VERSION_ARGUMENTS.items():
        try:
            said = output(find(program), argument)
        except Unavailable:
            said = ""
        line = next((line for line in said.splitlines() if "ersion" in line), "not installed")
        found[program] = line.strip()
    return found


def configurations() -> dict[str, Any]:
    """How each peer was started, and the files it read."""
    used = {recipe.config for recipe in RECIPES.values() if recipe.config}
    return {
        "files": {name: (BASELINES / name).read_text() for name in sorted(used)},
        "commands": {name: " ".join(recipe.command) for name, recipe in RECIPES.items()},
    }


def proc(name: str) -> str:
    """A file of /proc, stripped."""
    return Path("/proc", name).read_text().strip()


def output(*command: str) -> str:
    """What a command says, on either stream; nothing where it fails."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    except FileNotFoundError:
        return ""
    return "" if ran.returncode else (ran.stdout + ran.stderr).strip()
