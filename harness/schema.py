"""Turns composed settings (nested plain dicts) into frozen dataclasses, and names everything wrong with them at once.

Dataclass fields are the schema: their annotations say what is allowed, their defaults what is optional. OmegaConf's structured
configs are not used for this, because they stop at the first problem and know neither nearest names nor several missing values
at a time.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from harness.errors import ConfigError
from harness.names import suggestion

MISSING = "???"
"""How YAML marks a value that the user must give."""

AT_URLS = "riddle report, compare and gate read finished runs at URLs, and riddle report runs=FOLDER publish=URL copies them"

Shape = TypeVar("Shape")


def read(shape: type[Shape], values: Mapping[str, Any], group: str = "") -> Shape:
    """Return ``shape`` filled with ``values``; ``group`` is where they stand among all settings, for messages.

    A class may check itself further with a method ``problems(self) -> Iterator[str]``, called once its fields are read.

    Raises:
        ConfigError: names all missing, unknown and ill-formed values together, one a line.
    """
    problems: list[str] = []
    result = _dataclass(shape, values, f"{group}." if group else "", problems)
    if problems:
        raise ConfigError("\n".join(problems))
    return result  # type: ignore[no-any-return]


def descriptions(shape: type[Any]) -> dict[str, str]:
    """Return what the ``Attributes:`` sections of a dataclass and its bases say of each field, own fields first."""
    found: dict[str, str] = {}
    for base in shape.__mro__:
        if dataclasses.is_dataclass(base):
            found |= {name: text for name, text in _attributes(base.__doc__ or "") if name not in found}
    return found


def _dataclass(shape: Any, values: Mapping[str, Any], prefix: str, problems: list[str]) -> Any:
    hints = typing.get_type_hints(shape)
    fields = {field.name: field for field in dataclasses.fields(shape)}
    for key in values:
        if key not in fields:
            problems.append(f"{prefix}{key}: unknown setting{suggestion(str(key), fields)}")
    read_fields: dict[str, Any] = {}
    count = len(problems)
    for name, field in fields.items():
        if name in values and values[name] != MISSING:
            read_fields[name] = _value(hints[name], values[name], f"{prefix}{name}", problems)
        elif values.get(name) == MISSING or (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ):
            problems.append(f"{prefix}{name}: missing; say {prefix}{name}={_example(hints[name])}")
    if len(problems) > count:
        return None
    try:
        made = shape(**read_fields)
    except ConfigError as error:
        problems.append(f"{prefix.rstrip('.')}: {error}" if prefix else str(error))
        return None
    check = getattr(made, "problems", None)
    if check is not None:
        problems.extend(f"{prefix}{problem}" for problem in check())
    return made


def _value(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    """Return ``value`` as ``hint`` wants it; on failure add a problem and return None."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in options:
            return None
        return _value(next(option for option in options if option is not type(None)), value, where, problems)
    if origin is Literal:
        if value not in options:
            near = suggestion(str(value), [str(option) for option in options])
            problems.append(f"{where}={value}: must be one of {', '.join(map(str, options))}{near}")
        return value
    if origin is tuple:
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else () if value is None else (value,)
        return tuple(_value(options[0], item, f"{where}[{index}]", problems) for index, item in enumerate(items))
    if isinstance(value, Mapping):
        return _mapping(hint, origin, value, where, problems)
    return _scalar(hint, value, where, problems)


def _mapping(hint: Any, origin: Any, value: Mapping[str, Any], where: str, problems: list[str]) -> Any:
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, value, f"{where}.", problems)
    if origin is not None and issubclass(origin, Mapping):
        problems.extend(f"{name}: missing; say {name}=VALUE" for name in _missing(value, where))
        return value
    problems.append(f"{where}: expected {_name(hint)}, got a mapping with {', '.join(map(str, value))}")
    return None


def _missing(value: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, item in value.items():
        if item == MISSING:
            yield f"{where}.{key}"
        elif isinstance(item, Mapping):
            yield from _missing(item, f"{where}.{key}")


def _scalar(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and is_number and int(value) == value:
        return int(value)
    if hint is float and is_number:
        return float(value)
    if hint is Path and "://" in str(value):
        problems.append(f"{where}={value}: is a URL, where a path on this machine is needed; {AT_URLS}")
        return None
    if hint in (str, Path) and (isinstance(value, str) or is_number):
        return hint(str(value))
    problems.append(f"{where}={value!r}: expected {_name(hint)}")
    return None


def _name(hint: Any) -> str:
    plain = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}
    if hint in plain:
        return plain[hint]
    return f"settings for {hint.__name__}" if dataclasses.is_dataclass(hint) and isinstance(hint, type) else "a mapping"


def _example(hint: Any) -> str:
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "|".join(map(str, options))
    if origin is tuple:
        return _example(options[0])
    return {int: "N", float: "X", Path: "PATH"}.get(hint, "NAME")


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each entry of a docstring's ``Attributes:`` section."""
    _, _, section = docstring.partition("Attributes:\n")
    name, words = "", [""]
    for line in section.splitlines():
        if not line.strip():
            break
        head, colon, rest = line.strip().partition(": ")
        if colon and head.isidentifier() and len(line) - len(line.lstrip()) <= 8:
            if name:
                yield name, " ".join(words)
            name, words = head, [rest]
        else:
            words.append(line.strip())
    if name:
        yield name, " ".join(words)
