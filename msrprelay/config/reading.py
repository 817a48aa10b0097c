"""From a file and the command line to a checked :class:`Config`, or to every mistake at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError
from .lines import lines_of
from .options import TABLES, Config, Known, known
from .rules import broken_rules

Place = Callable[[str], str]
# The one table whose keys are the operator's own.
POLICIES = "msrp-path"


def load(text: str, overrides: Mapping[str, object] | None = None, *, name: str = "") -> Config:
    """The configuration in ``text`` (TOML), with ``overrides`` by full key from the command line.

    ``msrp-path.NAME`` stands for one entry of that table; the file's others stay.

    ``name`` is the file's, for messages. Raises ConfigError; its message has a line for each
    mistake, with the place, and the nearest name for a key that is unknown.
    """
    try:
        document, doubled = flat(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name or 'configuration'}: {error}") from None
    given = overrides or {}
    lines = lines_of(text)
    pairs = with_policies({**document, **given})

    def place(key: str) -> str:
        if key not in given and key == POLICIES and any(map(is_policy, given)):
            return f"--{key}"
        if key in given:
            return f"--{key}" if "." not in key else f"--set {key}"
        return f"{name}:{lines[key]}: {key}" if key in lines else f"{name}: {key}".lstrip(": ")

    config, mistakes = read(pairs, place)
    mistakes = [f"{place(key)}: {why}" for key, why in doubled.items()] + mistakes
    if not mistakes:
        mistakes = [f"{place(key)}: {why}" for key, why in broken_rules(config)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return config


def load_file(path: Path | None, overrides: Mapping[str, object] | None = None) -> Config:
    """As :func:`load`, from a file; None: from the command line alone."""
    if path is None:
        return load("", overrides)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    return load(text, overrides, name=str(path))


def flat(document: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Full keys and values; underscores are dashes. ``msrp-path`` is a value that is a table.

    Also what is wrong with keys that stand there in both spellings.
    """
    pairs: dict[str, object] = {}
    doubled: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for written, value in spelled_out(document):
        key = written.replace("_", "-")
        first = spelled.setdefault(key, written)
        if first != written:
            doubled[key] = f"{first} and {written} are the same key: which one is meant?"
        pairs[key] = value
    return pairs, doubled


def spelled_out(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Full keys as they are written, and values."""
    tables = tables_of(known())
    for name, value in document.items():
        if name in tables and isinstance(value, dict):
            yield from ((f"{name}.{each}", item) for each, item in value.items())
        else:
            yield name, value


def is_policy(key: object) -> bool:
    """Whether it is the key of one path policy: ``msrp-path.NAME``."""
    return str(key).startswith(f"{POLICIES}.")


def with_policies(pairs: Mapping[str, object]) -> dict[str, object]:
    """The pairs with each ``msrp-path.NAME`` in the table where it belongs."""
    single = {key[len(POLICIES) + 1 :]: value for key, value in pairs.items() if is_policy(key)}
    rest = {key: value for key, value in pairs.items() if not is_policy(key)}
    table = rest.get(POLICIES, {})
    if single and isinstance(table, dict):
        rest[POLICIES] = {**table, **single}
    return rest


def read(pairs: Mapping[str, object], place: Place) -> tuple[Config, list[str]]:
    """The configuration as far as it can be read, and what is wrong."""
    options = {option.key: option for option in known()}
    tables = tables_of(options.values())
    mistakes: list[str] = []
    values: list[tuple[Known, object]] = []
    for key, value in pairs.items():
        option = options.get(key)
        if key in tables:
            mistakes.append(f"{place(key)}: a table expected, such as [{key}]")
            continue
        if option is None:
            mistakes.append(f"{place(key)}: unknown key{hint(key, options)}")
            continue
        try:
            values.append((option, option.option.read(value)))
        except ValueError as error:
            mistakes.append(f"{place(key)}: {error}")
    return build(values), mistakes


def build(values: Iterable[tuple[Known, object]]) -> Config:
    """The configuration with these values, and the defaults for the rest."""
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for option, value in values:
        tables[option.table][option.name] = value
    top = tables.pop("")
    return Config(**top, **{name: TABLES[name](**given) for name, given in tables.items()})


def plain(config: Config) -> dict[str, object]:
    """Every option by full key, in values that JSON has; :func:`from_plain` reads them."""
    return {option.key: plain_value(option.value(config)) for option in known()}


def plain_value(value: object) -> object:
    """A value as a file could have it."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return [plain_value(item) for item in value]
    return str(value)


def from_plain(pairs: Mapping[str, object]) -> Config:
    """The configuration that :func:`plain` gave, perhaps in another version of the relay.

    What is not known any more is left out, what is new has its default.
    """
    return read(pairs, str)[0]


def hint(key: str, options: Mapping[str, Known]) -> str:
    """The option that was probably meant: by its full key, or by its name in another table."""
    table, _, name = key.rpartition(".")
    tables = tables_of(options.values())
    # Within a table only names are compared: with the table before them all are alike.
    full = {} if table in tables else {each: each for each in (*options, *tables)}
    # Of equal names the one of that table is the last, and stays.
    by_table = sorted(options.values(), key=lambda option: option.table == table)
    short = {option.key.rpartition(".")[2]: option.key for option in by_table}
    for meant, known_by in ((key, full), (name, short)):
        near = difflib.get_close_matches(meant, known_by, 1, 0.6)
        if near:
            return f"; did you mean {known_by[near[0]]}?"
    return ""


def tables_of(options: Iterable[Known]) -> set[str]:
    """The names of the file's tables."""
    return {option.table for option in options if option.table}


class Changes(NamedTuple):
    """The keys whose values differ, by what a running relay needs to take them up."""

    sighup: list[str]
    upgrade: list[str]
    restart: list[str]


def changes(old: Config, new: Config) -> Changes:
    """What is not the same in both."""
    found = Changes([], [], [])
    by = {"SIGHUP": found.sighup, "upgrade": found.upgrade, "restart": found.restart}
    for option in known():
        if option.value(old) != option.value(new):
            by[option.changed_by].append(option.key)
    return found


def reloaded(old: Config, new: Config) -> Config:
    """``old`` with the values of ``new`` that a reload can apply."""
    return build((option, option.value(new if option.option.live else old)) for option in known())


def limit_rows(
    config: Config,
    effective: Mapping[str, float] | None = None,
    refusals: Mapping[str, int] | None = None,
) -> Iterator[dict[str, object]]:
    """Every limit and timer for the ``limits`` command: key, value, unit, what, refusals.

    ``effective`` has the values that were worked out at the start, by full key, for those that
    are 0 in the configuration; ``refusals`` how often each refused something.
    """
    for option in known():
        if option.option.unit:
            value = (effective or {}).get(option.key, option.value(config))
            yield {
                "key": option.key,
                "value": int(value) if value == int(value) else str(value),
                "unit": option.option.unit,
                "what": option.option.what,
                "refusals": (refusals or {}).get(option.key, 0),
            }
