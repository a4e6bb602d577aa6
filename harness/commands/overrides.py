"""Checks the words after a verb before Hydra sees them, and names everything wrong with them at once.

Hydra stops at the first key that it does not know. So a setting is handed on as ``++key=value`` (set or add), and
`harness.schema` then reports unknown keys together with missing and ill-formed values. Names of configuration groups
(``model=nano``) are checked here, where the nearest names are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.catalog import Catalog, admit, package_folder
from harness.commands import VERBS
from harness.errors import ConfigError
from harness.names import nearest, suggestion, unknown

WITH_VALUE = frozenset(["--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp", "--cfg", "-c", "--package", "-p"])
"""Hydra's flags that take the next word as their value."""

ALONE = frozenset(["--multirun", "-m", "--run", "-r", "--resolve", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"])
"""Hydra's flags that stand alone, or may."""


BLIND = ("model.blind", "true")
"""People look for this among the model's settings; it is the run's, so that every model has it and no table mixes it up."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Words for Hydra, and what the command line needs to know of them itself."""

    words: tuple[str, ...]
    multirun: bool
    debug: bool


def prepare(verb: str, words: Sequence[str]) -> Prepared:
    """Return the words to hand to Hydra.

    Raises:
        ConfigError: names all words that are no setting, and all choices that do not exist.
    """
    flags, settings, sources = _split(words)
    plain = dict(word.split("=", 1) for word in settings if "=" in word)
    plugins = items(plain.get("plugins", ""))
    admit(plugins)
    catalog = Catalog(plugins=plugins, conf_dirs=tuple(sources))
    settings = [_held(word) for word in _named(verb, settings)]
    elsewhere = "hydra.searchpath" in plain or bool({"--config-path", "-cp"} & set(flags))
    multirun = bool({"-m", "--multirun"} & set(flags))
    problems = list(_flag_problems(flags))
    for word in settings:
        found = list(_problems(word, catalog, not elsewhere)) or ([] if multirun else list(_sweep_problems(word, catalog)))
        problems += [_renamed(problem, verb) for problem in found]
    if problems:
        raise ConfigError("\n".join(problems))
    prepared = [*flags, *[_loosened(word, verb, catalog) for word in settings], *_searchpath(plugins)]
    return Prepared(
        words=tuple(prepared),
        multirun=multirun,
        debug=plain.get("debug", "").lower() == "true",
    )


def _split(words: Sequence[str]) -> tuple[list[str], list[str], list[Path]]:
    """Return flags with their values, settings, and the folders named by ``--config-dir``."""
    flags: list[str] = []
    settings: list[str] = []
    folders: list[Path] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            settings.append(word)
            continue
        flag, equals, value = word.partition("=")
        if flag in WITH_VALUE and not equals:
            value = next(rest, "")
            flags += [flag, *([value] if value else [])]
        else:
            flags.append(word)
        if flag in ("--config-dir", "-cd"):
            folders.append(Path(value))
    return flags, settings, folders


def _named(verb: str, settings: Sequence[str]) -> Iterator[str]:
    """Write out what a verb lets people shorten: ``data mini`` is ``what=mini``, ``train model=nano`` is ``train=nano``."""
    positional, groups = VERBS[verb].positional or (), VERBS[verb].groups
    places = iter((positional,) if isinstance(positional, str) else positional)
    place = next(places, None)
    for word in settings:
        key, equals, value = word.partition("=")
        word = f"{groups.get(key, key)}{equals}{value}"
        if (key, value.lower()) == BLIND:
            word = "control=blind"
        if place and "=" not in word and not word.startswith("~"):
            yield f"{place}={word}"
            place = next(places, None)
        else:
            yield word


def _held(word: str) -> str:
    """Quote a value that Hydra's grammar cannot hold (``été``, ``l'an``), unless it means to use that grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, _, value = word.partition("=")
    if not value or value[0] in "[({'\"" or "," in value:
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return f"{key}={quoted(value)}"
    return word


def quoted(value: str) -> str:
    """Write any text as a value for Hydra, in quotes; only such quotes and the backslashes before them need escapes there."""
    mark = "'" if '"' in value else '"'
    escaped = re.sub(rf"(\\*)({mark}|$)", lambda match: match[1] * 2 + (f"\\{mark}" if match[2] else ""), value)
    return f"{mark}{escaped}{mark}"


def _flag_problems(flags: Sequence[str]) -> Iterator[str]:
    for word in flags:
        flag, _, value = word.partition("=")
        if word.startswith("-") and flag not in WITH_VALUE | ALONE:
            yield f"unknown option {word!r}; settings are written without dashes: {flag.lstrip('-')}={value or 'VALUE'}"


def _problems(word: str, catalog: Catalog, check_choices: bool) -> Iterator[str]:
    if word.startswith("~"):
        return
    key, equals, value = word.partition("=")
    if not equals:
        yield f"{word!r} is no setting{_meant(word, catalog)}; settings are written key=value"
        return
    group = key.lstrip("+").partition("@")[0]
    if check_choices and catalog.has_group(group) and not group.startswith("hydra"):
        known = catalog.choices(group)
        if not value or value.startswith("["):
            listed = "" if value else f"; known: {', '.join(known)}"
            yield f"{group}={value}: takes one name{listed}; several are a sweep: -m {group}=a,b"
            return
        for choice in _choices(value):
            if choice not in known and choice != "null":
                yield f"{group}={choice}: {unknown(group, choice, known)}"


def _sweep_problems(word: str, catalog: Catalog) -> Iterator[str]:
    """Name a value with commas outside of a sweep, which Hydra would only call ambiguous."""
    key, _, value = word.lstrip("+").partition("=")
    if "," in value and not re.search(r"[\[\](){}'\"]", value):
        together = "" if catalog.has_group(key) else f"; as one list: {key}=[{value}]"
        yield f"{key}={value}: several values are a sweep, one job each: add -m{together}"


def _renamed(problem: str, verb: str) -> str:
    """Let a problem speak of the name that the user typed, where a verb has another name for a group."""
    for typed, group in VERBS[verb].groups.items():
        problem = problem.replace(f"{group}=", f"{typed}=").replace(f"unknown {group} ", f"unknown {typed} ")
    return problem


def _meant(word: str, catalog: Catalog) -> str:
    """Say which setting a bare word may be the value of."""
    if word in catalog.choices("model"):
        return f" (did you mean model={word}?)"
    if word in catalog.choices("suite"):
        return f" (did you mean suite={word}?)"
    tasks = catalog.entries()
    near = (word,) if word in tasks or any(entry.stem == word for entry in tasks.values()) else nearest(word, tasks, 1)
    return f" (did you mean task={near[0]}?)" if near else suggestion(word, VERBS)


def _choices(value: str) -> tuple[str, ...]:
    """Return the names in a group's value, which is one name, a sweep ``a,b``, or a list ``[a,b]``; none for other syntax."""
    names = items(value)
    return names if all(re.fullmatch(r"[\w.+/-]+", name) for name in names) else ()


def items(value: str) -> tuple[str, ...]:
    """Return the items of ``a,b`` or ``[a,b]``."""
    return tuple(item.strip().strip("'\"") for item in value.strip("[]").split(",") if item.strip())


def _loosened(word: str, verb: str, catalog: Catalog) -> str:
    """Return ``++key=value`` for a plain setting; groups, Hydra's own settings and prefixed words stay as they are."""
    key = word.partition("=")[0]
    if key[0] in "+~" or key.partition(".")[0] == "hydra" or "@" in key or "/" in key or catalog.has_group(key):
        return word
    if verb == "bench" and key.partition(".")[0] not in ("bench", "output", "debug", "plugins", "task_dirs", "paths", "options"):
        return f"++options.{word}"
    return f"++{word}"


def _searchpath(plugins: Sequence[str]) -> list[str]:
    """Let Hydra find the ``conf`` of plugins too."""
    folders = [package_folder(plugin) / "conf" for plugin in plugins]
    places = [quoted(f"file://{folder.resolve()}") for folder in folders if folder.is_dir()]
    return [f"hydra.searchpath=[{','.join(places)}]"] if places else []
