"""Named tensors that are read one at a time: from files, from memory, or converted from another source.

Not here: which names a format has (``official``) and what a model folder holds (``checkpoint``). Files are mapped into memory and
let go of again while they are read, so that filling a model takes little more memory than the model itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from harness.errors import ConfigError

Shape = tuple[int, ...]
Convert = Callable[[Sequence[Tensor]], Sequence[Tensor]]

HELD = 16 * 2**20
"""Bytes read from mapped files before they are let go of; a hundredth of the model if that is more, since it takes time."""

INDEX_SUFFIX = ".index.json"


class Source(Protocol):
    """Tensors by name."""

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor, without reading any."""
        ...

    def read(self, name: str) -> Tensor:
        """One tensor; it may be a view of a mapped file, so it is not to be written to."""
        ...

    def release(self) -> None:
        """Let go of the memory of what was read; it can be read again."""
        ...


class Memory:
    """Tensors that are in memory already."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor."""
        return {name: tuple(value.shape) for name, value in self._tensors.items()}

    def read(self, name: str) -> Tensor:
        """One tensor."""
        return self._tensors[name]

    def release(self) -> None:
        """Nothing to let go of."""


class Safetensors:
    """The tensors of one safetensors file, or of those that an index beside it names (``model.safetensors.index.json``)."""

    def __init__(self, path: Path) -> None:
        """Find the files. Raises `ConfigError` if there are none, or if the index names a file outside of its folder."""
        self._files = [path] if path.is_file() else _indexed(path)
        self._open: dict[Path, Any] = {}
        self._place = {name: file for file in self._files for name in self._handle(file).keys()}  # noqa: SIM118
        self._shapes: dict[str, Shape] = {
            name: tuple(self._handle(file).get_slice(name).get_shape()) for name, file in self._place.items()
        }

    def _handle(self, file: Path) -> Any:
        if file not in self._open:
            try:
                self._open[file] = safe_open(file, framework="pt")
            except (OSError, SafetensorError) as error:
                raise ConfigError(f"{file}: cannot be read ({error})") from error
        return self._open[file]

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor, from the files' heads."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor."""
        found: Tensor = self._handle(self._place[name]).get_tensor(name)
        return found

    def row(self, name: str, row: int) -> Tensor:
        """One entry along a tensor's first dimension; nothing else of it is read."""
        found: Tensor = self._handle(self._place[name]).get_slice(name)[row]
        return found

    def release(self) -> None:
        """Close the files until something is read again."""
        self._open.clear()


def _indexed(path: Path) -> list[Path]:
    index = path.with_name(path.name + INDEX_SUFFIX)
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}), and there is no {index.name}") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(f"{index}: is no index of safetensors files ({type(error).__name__}: {error})") from error
    if strange := sorted(str(name) for name in named if not isinstance(name, str) or Path(name).name != name):
        raise ConfigError(f"{index}: names files outside of its folder: {', '.join(strange)}")
    return [path.with_name(name) for name in sorted(named)]


@dataclass(frozen=True)
class Piece:
    """Tensors of one format that together make tensors of another, and the way back.

    Attributes:
        theirs, ours: names in the two formats.
        load: values in the order of ``theirs`` to values in the order of ``ours``; ``store`` is its inverse.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    load: Convert = tuple
    store: Convert = tuple

    def inverse(self) -> Piece:
        """The same, the other way round."""
        return Piece(self.ours, self.theirs, self.store, self.load)


class Converted:
    """The tensors of a source under the names, and in the form, of ``ours``."""

    def __init__(self, source: Source, pieces: Iterable[Piece]) -> None:
        have = source.shapes()
        makers = [piece for piece in pieces if all(name in have for name in piece.theirs)]
        self._source = source
        self._piece = {name: piece for piece in makers for name in piece.ours}
        self._shapes = shapes_made(makers, have)

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor that the source can make."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor, made of all that it takes."""
        piece = self._piece[name]
        return piece.load([self._source.read(part) for part in piece.theirs])[piece.ours.index(name)]

    def release(self) -> None:
        """Let go of what the source holds."""
        self._source.release()


def shapes_made(pieces: Iterable[Piece], have: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of ``ours`` that the pieces make of tensors with the shapes ``have``, found out without any data."""
    found: dict[str, Shape] = {}
    for piece in pieces:
        made = piece.load([torch.empty(have[name], device="meta") for name in piece.theirs])
        found |= {name: tuple(value.shape) for name, value in zip(piece.ours, made, strict=True)}
    return found


def misfits(
    have: Mapping[str, Shape], wanted: Mapping[str, Shape], *, may_lack: Callable[[str], bool] = lambda name: False
) -> list[str]:
    """Every tensor that is missing, surplus or of another shape, one line each."""
    problems = [f"{name}: missing" for name in wanted if name not in have and not may_lack(name)]
    problems += [f"{name}: unknown" for name in have if name not in wanted]
    return problems + [
        f"{name}: shape {have[name]}, expected {shape}" for name, shape in wanted.items() if have.get(name, shape) != shape
    ]


def refuse(problems: Sequence[str], head: str, *, most: int = 40) -> None:
    """Raise one `ConfigError` with all problems, the first ``most`` of them written out; nothing if there are none."""
    if problems:
        listed = [*problems[:most], *([f"and {len(problems) - most} more"] if len(problems) > most else [])]
        raise ConfigError(f"{head}:\n  " + "\n  ".join(listed))


def split_rows(value: Tensor, *sizes: int) -> Tensor:
    """The first dimension as several of these sizes, one of which may be -1."""
    return value.reshape(*sizes, *value.shape[1:])


def parts(module: nn.Module) -> dict[str, Tensor]:
    """Everything of a module that is saved: parameters and persistent buffers by name, not detached."""
    return dict(module.state_dict(keep_vars=True))


@contextmanager
def without_memory() -> Iterator[None]:
    """Modules built inside have parameters without memory (on the meta device); their buffers are real. See `fill`."""

    def bare(module: nn.Module, name: str, parameter: nn.Parameter) -> nn.Parameter:
        return nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)

    handle = register_module_parameter_registration_hook(bare)  # type: ignore[arg-type]  # it may return a parameter
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def fill(
    module: nn.Module, source: Source, dtype: torch.dtype | None = torch.float32, names: Iterable[str] | None = None
) -> None:
    """Copy tensors into a module, one after another; parameters without memory get theirs now.

    The caller has compared names and shapes before (`misfits`), so that nothing is half-loaded.

    Args:
        module: what to fill.
        source: tensors under the module's own names.
        dtype: precision of parameters that get their memory here; None keeps that of each tensor.
        names: which tensors; by default all.
    """
    own = parts(module)
    most, held = max(HELD, sum(value.nbytes for value in own.values()) // 100), 0
    for name in own if names is None else names:
        value, target = source.read(name), own[name]
        if target.is_meta:
            stem, _, leaf = name.rpartition(".")
            memory = torch.empty(value.shape, dtype=dtype or value.dtype).copy_(value)
            module.get_submodule(stem).register_parameter(leaf, nn.Parameter(memory, requires_grad=target.requires_grad))
        else:
            target.copy_(value)
        held += value.nbytes
        del value
        if held > most:
            source.release()
            held = 0
    source.release()
