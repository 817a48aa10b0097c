"""What deploy/ ships: units that systemd accepts, rules about metrics that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from msrprelay.metrics.catalogue import CATALOGUE

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "msrprelay.rules.yml"
METRICS_PAGE = DEPLOY.parent / "docs" / "metrics.md"
LABELS = {each.sample: {*each.labels, "job", "instance"} for each in CATALOGUE}
UNIT = DEPLOY / "msrprelayd.service"
PROGRAMS = "/opt/msrprelay/bin"
# systemd's own judgement: 0 is nothing to fear, 10 is everything; below 2 it says OK.
EXPOSURE = 15  # tenths

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # The daemon is not installed on this machine, another executable is.
    text = re.sub(rf"{PROGRAMS}/msrprelay(d|-ctl) ", f"{sys.executable} ", UNIT.read_text())
    unit.write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (
        0,
        [],
    )


@needs_systemd
def test_the_daemon_can_do_little_besides(tmp_path: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, f"--threshold={EXPOSURE}", str(UNIT)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_names_are_those_of_the_documents() -> None:
    said = dict(re.findall(r"(?m)^(\w+)=(.*)$", UNIT.read_text()))
    assert said["ExecStart"] == f"{PROGRAMS}/msrprelayd --config=/etc/msrprelayd/msrprelayd.toml"
    assert said["ExecReload"] == f"{PROGRAMS}/msrprelay-ctl upgrade"
    assert said["RuntimeDirectory"] == said["StateDirectory"] == said["User"] == "msrprelayd"
    for page in ("README.md", "docs/operations.md"):
        text = DEPLOY.parent.joinpath(page).read_text()
        assert f"{PROGRAMS}/pip install ." in text, page
        assert not re.search(r"(?m)^pip install", text), f"{page}: Debian refuses that"
    assert "u msrprelayd " in (DEPLOY / "msrprelayd.sysusers").read_text()


def test_the_address_that_is_shipped_is_replaced_before_the_start() -> None:
    page = DEPLOY.parent.joinpath("docs", "operations.md").read_text()
    (shipped,) = re.findall(
        r'(?m)^interface = \["pub/([\d.]+)"\]', DEPLOY.joinpath("msrprelayd.toml").read_text()
    )
    steps = page.partition("## Install and start")[2]
    assert 0 < steps.index(f"the one that is\nshipped, {shipped}") < steps.index("enable --now")
    assert "test -e /etc/msrprelayd/msrprelayd.toml ||\ninstall" in steps


def selectors(text: str) -> list[tuple[str, str]]:
    """Metrics that a text names, each with what it says of their labels."""
    return re.findall(r"\b((?:msrprelay|process)_[a-z_]+)\b(?:\{(.*?)\})?", text)


@pytest.mark.parametrize("path", [RULES, METRICS_PAGE], ids=lambda path: path.name)
def test_queries_name_metrics_that_there_are(path: Path) -> None:
    named = selectors(path.read_text())
    assert named
    for metric, matchers in named:
        assert set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"", matchers)) <= LABELS[metric], metric


def test_reasons_in_the_rules_are_reasons() -> None:
    (reasons,) = re.findall(r'reason=~"(.*?)"', RULES.read_text())
    states = (DEPLOY.parent / "docs" / "states.md").read_text()
    assert [each for each in reasons.split("|") if f"\n| `{each}` |" not in states] == []


def test_the_rules_are_what_prometheus_reads() -> None:
    yaml = pytest.importorskip("yaml")
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    assert set(group) == {"name", "rules"}
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert {"alert", "expr", "labels", "annotations"} <= set(rule)
        assert re.fullmatch(r"Msrprelay[A-Za-z]+", rule["alert"])
        assert re.fullmatch(r"\d+m", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}")
    scrape = yaml.safe_load((RULES.parent / "scrape.yml").read_text())
    (job,) = scrape["scrape_configs"]
    assert f'job="{job["job_name"]}"' in RULES.read_text()
    assert [Path(name).name for name in scrape["rule_files"]] == [RULES.name]
