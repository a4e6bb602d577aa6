"""Builds what a configuration names: ``_target_`` is a class or function, the other keys are its arguments.

Hydra's own ``instantiate`` is not used: it calls whatever a value anywhere in the tree names. Here one function checks that the
target stands in our rooms or in a package that the user has named in ``plugins``, that it is defined there, and that its
arguments exist, all before anything is called.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.errors import ConfigError
from harness.names import suggestion

ROOMS = ("models", "harness")
"""Packages whose classes a configuration may always name."""


def build(spec: Mapping[str, Any], plugins: Sequence[str] = (), where: str = "model") -> Any:
    """Call the target of ``spec`` with its other keys as arguments; nested mappings with a target are built first.

    Raises:
        ConfigError: the target is not allowed or not found, or arguments are unknown or missing (all named together).
    """
    problems = list(target_problems(spec, plugins, where))
    if problems:
        raise ConfigError("\n".join(problems))
    arguments = {
        key: build(value, plugins, f"{where}.{key}") if isinstance(value, Mapping) and "_target_" in value else value
        for key, value in spec.items()
        if key != "_target_"
    }
    return resolve(str(spec["_target_"]), plugins, where)(**arguments)


def resolve(target: str, plugins: Sequence[str] = (), where: str = "model") -> Callable[..., Any]:
    """Import the public class or function that ``target`` (``package.module.Name`` or ``package.module:Name``) names.

    Raises:
        ConfigError: the package is not allowed, the module or name does not exist, or it is defined elsewhere.
    """
    allowed = (*ROOMS, *plugins)
    path = target.replace(":", ".")
    module_name, _, name = path.rpartition(".")
    if not _inside(path, allowed):
        raise ConfigError(
            f"{where}._target_={target}: may only name something in {', '.join(allowed)}; "
            f"for a package of your own say plugins=[{path.partition('.')[0]}]"
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{where}._target_={target}: {_absence(error, allowed)}") from error
    found = getattr(module, name, None)
    if name.startswith("_") or not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{where}._target_={target}: module {module_name} has no {name!r}{suggestion(name, public)}")
    if not _inside(getattr(found, "__module__", ""), allowed):
        raise ConfigError(f"{where}._target_={target}: is defined in {found.__module__}, outside of {', '.join(allowed)}")
    return found  # type: ignore[no-any-return]


def target_problems(spec: Mapping[str, Any], plugins: Sequence[str], where: str) -> Iterator[str]:
    """Yield everything that would keep `build` from succeeding, as one message each."""
    if "_target_" not in spec:
        yield f"{where}: names no class; add _target_ (known keys: {', '.join(spec) or 'none'})"
        return
    try:
        target = resolve(str(spec["_target_"]), plugins, where)
    except ConfigError as error:
        yield str(error)
        return
    yield from argument_problems(target, [key for key in spec if key != "_target_"], where)
    for key, value in spec.items():
        if isinstance(value, Mapping) and "_target_" in value:
            yield from target_problems(value, plugins, f"{where}.{key}")
        elif isinstance(value, Sequence) and any(isinstance(item, Mapping) and "_target_" in item for item in value):
            yield f"{where}.{key}: _target_ inside a list is not allowed"


def argument_problems(target: Callable[..., Any], given: Sequence[str], where: str) -> Iterator[str]:
    """Yield the unknown and the missing arguments of a call of ``target`` with the keywords ``given``."""
    parameters = inspect.signature(target).parameters.values()
    named = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for key in given:
            if key not in named:
                yield f"{where}.{key}: unknown setting{suggestion(key, named)}; known: {', '.join(named) or 'none'}"
    for key, parameter in named.items():
        if parameter.default is parameter.empty and key not in given:
            yield f"{where}.{key}: missing"


def _inside(path: str, packages: Sequence[str]) -> bool:
    return any(path == package or path.startswith(f"{package}.") for package in packages)


def _absence(error: ModuleNotFoundError, allowed: Sequence[str]) -> str:
    """Say whether our own module does not exist, or one that it needs is not installed."""
    name = error.name or ""
    if _inside(name, allowed):
        return f"there is no module {name}"
    return f"needs the package {name!r}, which is not installed; pip install 'riddle-eval[local]' brings what local models need"
