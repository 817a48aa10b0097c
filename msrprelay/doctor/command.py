"""``msrprelay-ctl doctor``, ``lint`` and ``check-host``; each imports its work when it is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .analysis import Analysis

HEALTHY, ERRORS, UNREADABLE = 0, 1, 2
LONG_FILE = 8 << 20
"""Bytes from which a progress bar is worth its line."""

STANDARD_INPUT = Path("-")
CAPTURE = click.Path(path_type=Path, allow_dash=True)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SDP = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


def _named(*suffixes: str) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    """Refuses a file name that does not say in which of the formats to write."""

    def check(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise click.BadParameter(f"{path} does not end in {' or '.join(suffixes)}")
        return path

    return check


REPORT, PICTURE = _named(".html", ".htm", ".md"), _named(".svg", ".png")


@click.command()
@click.argument("files", nargs=-1, type=CAPTURE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file, one per line.")
@click.option("--ladder", is_flag=True, help="Draw the ladder of each call.")
@click.option("--svg", type=Path, help="Write the ladder of the first faulty call as SVG.")
@click.option("--report", type=Path, callback=REPORT, help="Write a report: FILE.html or FILE.md.")
@click.option("--batch", type=FOLDER, help="Judge every capture in a directory together.")
@click.option(
    "--histogram",
    type=Path,
    callback=PICTURE,
    help="With --batch: interrupted calls, FILE.svg or .png.",
)
def doctor(
    files: tuple[Path, ...],
    as_json: bool,
    ladder: bool,
    svg: Path | None,
    report: Path | None,
    batch: Path | None,
    histogram: Path | None,
) -> None:
    """Explain captures (pcap, pcapng, gz; SIP, SDP, MSRP and TCP of both legs).

    Exit status: 0 healthy, 1 errors found in any file; else 2 if one could not be judged
    (unreadable, cut, no call), or an output not be written.
    """
    if bool(files) == (batch is not None):
        raise click.UsageError("name capture files, or a directory with --batch")
    if histogram is not None and batch is None:
        raise click.UsageError("--histogram goes with --batch")
    if batch is not None:
        if report or svg or ladder:
            raise click.UsageError("--report, --svg and --ladder do not go with --batch")
        sys.exit(_batch(batch, as_json, histogram))
    from . import text

    analyses = []
    for path in files:
        analysis = _analyse(path, quiet=as_json)
        analyses.append(analysis)
        if as_json:
            click.echo(text.as_json(analysis))
        elif analysis.unreadable:
            click.echo(text.summary(analysis), err=True)
        else:
            click.echo(text.as_text(analysis, ladder), nl=False)
    written = report is None or _written(report, lambda: _report(report, analyses))
    if svg is not None:
        written &= _written(svg, lambda: _ladder(svg, analyses))
    whole = written and all(analysis.doubt is None for analysis in analyses)
    sys.exit(status(any(analysis.faulty for analysis in analyses), whole))


def status(faulty: bool, whole: bool) -> int:
    """1 with errors; without, 2 if not all could be read, judged and written; else 0."""
    return ERRORS if faulty else HEALTHY if whole else UNREADABLE


def _analyse(path: Path, quiet: bool) -> Analysis:
    from .analysis import attempt

    with _progress(path, quiet) as progress:
        return attempt(path, progress)


@contextmanager
def _progress(path: Path, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr for a long file on a terminal."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    if quiet or size < LONG_FILE or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=size, label=path.name, file=sys.stderr) as bar:

        def show(read: int, _size: int) -> None:
            bar.update(max(read - bar.pos, 0))

        yield show


def _written(path: Path, write: Callable[[], None]) -> bool:
    """Whether it could be; if not it is told, and what else is to be written still is."""
    from .errors import CaptureError

    try:
        write()
    except OSError as error:
        click.echo(f"Error: {path}: {error.strerror}", err=True)
        return False
    except CaptureError as error:
        click.echo(f"Error: {error}", err=True)
        return False
    return True


def _report(path: Path, analyses: list[Analysis]) -> None:
    from .report import write_report

    write_report(path, analyses)


def _ladder(path: Path, analyses: list[Analysis]) -> None:
    from .errors import CaptureError
    from .ladder import build_ladder, draw_svg

    diagnoses = [diagnosis for analysis in analyses for diagnosis in analysis.diagnoses]
    first = next((d for d in diagnoses if not d.healthy), next(iter(diagnoses), None))
    if first is None:
        raise CaptureError(f"{path}: no call to draw")
    marked = frozenset(number for found in first.findings for number in found.packets)
    path.write_text(draw_svg(build_ladder(first.case), marked).markup(lone=True), "utf-8")


def _batch(folder: Path, as_json: bool, histogram: Path | None) -> int:
    from . import batch_text
    from . import histogram as pictures
    from .batch import run

    def done(analysis: Analysis, count: int, total: int) -> None:
        if as_json:
            from . import text

            click.echo(text.as_json(analysis))
        elif sys.stderr.isatty():
            click.echo(f"\r{count} of {total} files", nl=count == total, err=True)

    result = run(folder, done)
    if not result.files:
        raise click.UsageError(f"{folder} holds no capture")
    click.echo(batch_text.as_json(result) if as_json else batch_text.as_text(result))
    written = histogram is None or _written(
        histogram, lambda: pictures.write_histogram(histogram, result)
    )
    return status(result.faulty > 0, written and not result.unreadable)


@click.command()
@click.argument("offer", type=SDP)
@click.argument("answer", type=SDP, required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def lint(offer: Path, answer: Path | None, as_json: bool) -> None:
    """Judge an SDP offer, or an offer and its answer, and show what the relay would write.

    One of them may be - for standard input.

    Exit status: 0 it can work, 1 it cannot, 2 not an SDP.
    """
    from ..errors import SdpError
    from . import lint as linting

    if offer == answer == STANDARD_INPUT:
        raise click.UsageError("only one of offer and answer can be standard input")
    try:
        result = linting.lint(_content(offer), _content(answer) if answer else None)
    except SdpError as error:
        click.echo(linting.refusal(error), err=True)
        sys.exit(UNREADABLE)
    click.echo(linting.as_json(result) if as_json else linting.as_text(result), nl=as_json)
    sys.exit(ERRORS if result.faulty else HEALTHY)


def _content(path: Path) -> bytes:
    """An SDP, or so much that it is none: some files have no end."""
    from ..sdp import MAX_SIZE

    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_SIZE + 1)
    with path.open("rb") as file:
        return file.read(MAX_SIZE + 1)


@click.command("check-host")
@click.option(
    "--port-min",
    type=click.IntRange(1, 65535),
    default=20000,
    show_default=True,
    help="The relay's lowest port for legs.",
)
@click.option(
    "--port-max",
    type=click.IntRange(1, 65535),
    default=29999,
    show_default=True,
    help="The highest.",
)
@click.option(
    "--sessions",
    type=click.IntRange(1),
    default=10000,
    show_default=True,
    help="How many there are to be at a time.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check_host(port_min: int, port_max: int, sessions: int, as_json: bool) -> None:
    """Look for limits of this host that a relay with so many sessions would meet.

    Exit status: 0 fine, 1 something to do.
    """
    from . import checkhost

    if port_max < port_min:
        raise click.UsageError("--port-max is below --port-min")
    checks = checkhost.run(checkhost.Wanted(port_min, port_max, sessions), Path(os.sep))
    click.echo(checkhost.as_json(checks) if as_json else checkhost.as_text(checks), nl=as_json)
    sys.exit(ERRORS if any(check.state == "error" for check in checks) else HEALTHY)
