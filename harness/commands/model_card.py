"""What ``riddle ls model NAME`` says of a model: its settings, its class, its card, and what it is made of.

Read from files, because importing a model's class may import torch; only the rooms' own light functions are called.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.catalog import package_folder
from harness.commands.rooms import ANATOMIES, function
from harness.errors import ConfigError


def model_card(file: Path) -> dict[str, Any]:
    """Return ``detail``, lines for the reader, and where the model can tell it without being built its ``anatomy`` in numbers."""
    text = settings_text(file)
    settings = settings_of(text)
    target = settings.get("_target_", "")
    detail: dict[str, Any] = {"settings": text}
    source = _source(target)
    if source:
        detail |= {"class": target, "description": _description(source, target.rpartition(".")[2])}
    module = target.rpartition(".")[0]
    numbers, lines = function(ANATOMIES[module])(settings) if module in ANATOMIES else ({}, {})
    detail |= lines
    if source and (card := _card(source, settings)):
        detail["card"] = card
    return {"detail": detail} | ({"anatomy": numbers} if numbers else {})


def settings_text(file: Path) -> str:
    """Return a model's YAML text; settings that it takes over from other files (``- FILE@_here_``) stand before its own."""
    text = file.read_text(encoding="utf-8").strip()
    head, mark, rest = text.partition("\ndefaults:\n")
    if not mark:
        return text
    listed, _, own = rest.partition("\n\n")
    bases = [line.strip(" -").removesuffix("@_here_") for line in listed.splitlines() if line.endswith("@_here_")]
    changed = settings_of(own)
    taken = [
        line
        for base in bases
        for line in settings_text(file.parent / f"{base}.yaml").splitlines()
        if not line.startswith("#") and line.partition(":")[0] not in changed
    ]
    return "\n".join([head, own, *taken])


def settings_of(text: str) -> dict[str, str]:
    """Return the settings of flat YAML text as they stand there, without comments."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {key: value.partition("#")[0].strip().strip("\"'") for key, _, value in pairs if key}


def _source(target: str) -> Path | None:
    """Return the file that a class is written in, if it is there."""
    package, *rest = target.rpartition(".")[0].split(".")
    try:
        file = package_folder(package).joinpath(*rest).with_suffix(".py")
    except ConfigError:
        return None
    return file if file.is_file() else None


def _description(source: Path, name: str) -> str:
    body = ast.parse(source.read_text(encoding="utf-8")).body
    found = next((node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name), None)
    return (ast.get_docstring(found) if found else None) or ""


def _card(source: Path, settings: Mapping[str, str]) -> str:
    """Return the card that comes with shipped weights, or an empty text."""
    card = source.parent / "weights" / settings.get("weights", "") / "README.md"
    return card.read_text(encoding="utf-8") if card.is_file() else ""
