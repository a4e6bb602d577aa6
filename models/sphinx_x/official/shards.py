"""The authors' weight files, one a model-parallel rank: read as if they were whole, written again for any number of ranks.

Read are ``consolidated.RR-of-WW.model.pth``, ``consolidated.RR-of-WW.model-diff.pth`` (added onto what was read before), Meta's
``consolidated.RR.pth`` (names without ``llma.``), and ``model.safetensors`` with the authors' names. Files are unpickled with
``weights_only`` alone, so no code in them runs. Not here: which names there are and how they are cut (``names``).
"""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor

from harness.errors import ConfigError
from models.sphinx_x.official.names import PREFIX, is_encoder, split_of
from models.sphinx_x.sources import HELD, Safetensors, Shape, Source, refuse, split_rows

log = logging.getLogger(__name__)

SAFETENSORS = "model.safetensors"
FORMS: Final[Mapping[Literal["model", "diff", "meta"], re.Pattern[str]]] = {
    "model": re.compile(r"consolidated\.(?P<rank>\d{2,})-of-(?P<world>\d{2,})\.model\.pth"),
    "diff": re.compile(r"consolidated\.(?P<rank>\d{2,})-of-(?P<world>\d{2,})\.model-diff\.pth"),
    "meta": re.compile(r"consolidated\.(?P<rank>\d{2,})\.pth"),
}


@dataclass(frozen=True, slots=True)
class Files:
    """The weight files of a folder, in the order of their ranks."""

    form: Literal["model", "diff", "meta"]
    paths: tuple[Path, ...]


def find_files(folder: Path) -> Files | None:
    """The weight files of a folder, None if there are none of the authors' kind.

    Raises:
        ConfigError: ranks are missing, or files of several forms or of several numbers of ranks lie side by side.
    """
    found = {
        form: [(path, match) for path in sorted(folder.iterdir()) if (match := pattern.fullmatch(path.name))]
        for form, pattern in FORMS.items()
    }
    forms = [form for form, files in found.items() if files]
    if not forms:
        return None
    if len(forms) > 1:
        raise ConfigError(f"{folder}: holds weights of several forms ({', '.join(forms)}); give each a folder of its own")
    form, matches = forms[0], [match for _, match in found[forms[0]]]
    worlds = {int(match["world"]) for match in matches} if form != "meta" else {len(matches)}
    if len(worlds) > 1:
        counts = ", ".join(str(world) for world in sorted(worlds))
        raise ConfigError(f"{folder}: mixes files of several numbers of ranks ({counts}); a checkpoint has one")
    world, ranks = worlds.pop(), {int(match["rank"]): path for path, match in found[form]}
    if missing := sorted({*range(world), *ranks} - ranks.keys()):
        listed = ", ".join(str(rank) for rank in missing)
        raise ConfigError(f"{folder}: file of rank {listed} is missing; the checkpoint has {world} (ranks count from 00)")
    if surplus := sorted(ranks.keys() - set(range(world))):
        raise ConfigError(f"{folder}: file of rank {surplus[0]} is one too many; ranks 00 to {world - 1:02} make the checkpoint")
    return Files(form, tuple(ranks[rank] for rank in range(world)))


class RankFile:
    """One pickled file of tensors, mapped into memory while it is in use; ``prefix`` is put before names that all lack it."""

    def __init__(self, path: Path, prefix: str = PREFIX) -> None:
        self.path = path
        self._prefix = prefix
        self._tensors: dict[str, Tensor] | None = None

    def tensors(self) -> Mapping[str, Tensor]:
        """All tensors by name. Raises `ConfigError` naming what is wrong with the file."""
        if self._tensors is None:
            held = self._load()
            if isinstance(held, dict) and isinstance(held.get("model"), dict):
                held = held["model"]
            if not isinstance(held, dict):
                raise ConfigError(f"{self.path}: holds a {type(held).__name__}, not tensors by name")
            strange = [f"{name}: is a {type(value).__name__}" for name, value in held.items() if not isinstance(value, Tensor)]
            refuse(strange, f"{self.path}: not all it holds are tensors")
            bare = not any(str(name).startswith(self._prefix) for name in held)
            self._tensors = {f"{self._prefix if bare else ''}{name}": value for name, value in held.items()}
        return self._tensors

    def _load(self) -> Any:
        try:
            return torch.load(self.path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(self.path))
        except Exception as error:  # damage shows in many places, as errors of many kinds
            reason = str(error).split("\n", 1)[0]
            if type(error).__name__ == "UnpicklingError":
                message = "refused or damaged. Only tensors are read from weight files, and no code is run"
            else:
                message = "cannot be read, it may be truncated; fetch it again"
            raise ConfigError(f"{self.path}: {message} ({reason})") from error

    def release(self) -> None:
        """Unmap the file until it is used again."""
        self._tensors = None


class Pickled:
    """One pickled file as a source of tensors under its own names."""

    def __init__(self, path: Path) -> None:
        self._file = RankFile(path, prefix="")

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor."""
        return {name: tuple(value.shape) for name, value in self._file.tensors().items()}

    def read(self, name: str) -> Tensor:
        """One tensor."""
        return self._file.tensors()[name]

    def release(self) -> None:
        """Unmap the file."""
        self._file.release()


class Merged:
    """The files of all ranks as one source of whole tensors under the authors' names.

    Args:
        paths: one file a rank, in order.
        experts: experts of a layer; a rank holds a slice of the width of each.

    Raises:
        ConfigError: a file cannot be read, or ranks hold other names or shapes than would fit together; all are named.
    """

    def __init__(self, paths: Sequence[Path], experts: int) -> None:
        self._ranks = [RankFile(path) for path in paths]
        self._experts = experts
        self._shapes = self._merged_shapes()

    def _merged_shapes(self) -> dict[str, Shape]:
        ranks = [{name: tuple(value.shape) for name, value in rank.tensors().items()} for rank in self._ranks]
        problems: list[str] = []
        found: dict[str, Shape] = {}
        for name in dict.fromkeys(name for rank in ranks for name in rank):
            shapes = [rank.get(name) for rank in ranks]
            if None in shapes:
                lacking = [str(number) for number, shape in enumerate(shapes) if shape is None]
                problems.append(f"{name}: missing in rank {', '.join(lacking)}")
            elif (whole := merged_shape(split_of(name), [shape for shape in shapes if shape is not None])) is None:
                problems.append(f"{name}: shapes {', '.join(map(str, shapes))} of the ranks do not fit together")
            else:
                found[name] = whole
        folder = self._ranks[0].path.parent
        refuse(problems, f"{folder}: the {len(ranks)} files do not make one model")
        return found

    def shapes(self) -> Mapping[str, Shape]:
        """Name and whole shape of every tensor."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One whole tensor."""
        cuts = [rank.tensors()[name] for rank in self._ranks]
        how = split_of(name)
        if how is None and not is_encoder(name) and any(not torch.equal(cut, cuts[0]) for cut in cuts[1:]):
            log.warning(
                "%s: %s differs between ranks, which should hold it alike; rank 0 is taken", self._ranks[0].path.parent, name
            )
        return merge(how, cuts, self._experts)

    def release(self) -> None:
        """Unmap the files."""
        for rank in self._ranks:
            rank.release()


def merged_shape(how: str | None, shapes: Sequence[Shape]) -> Shape | None:
    """Shape of a tensor whose ranks hold cuts of these shapes; None if they do not fit together."""
    along = 1 if how == "columns" else 0
    rests = {(*shape[:along], *shape[along + 1 :]) if how else shape for shape in shapes}
    if len(rests) > 1 or (how and len(shapes[0]) <= along):
        return None
    if how is None:
        return shapes[0]
    return (*shapes[0][:along], sum(shape[along] for shape in shapes), *shapes[0][along + 1 :])


def merge(how: str | None, cuts: Sequence[Tensor], experts: int) -> Tensor:
    """The whole of a tensor; ``experts`` are cut along the width of each expert ([experts * width / ranks, channels] a rank)."""
    if how is None or len(cuts) == 1:
        return cuts[0]
    if how == "experts":
        return torch.cat([split_rows(cut, experts, -1) for cut in cuts], dim=1).flatten(0, 1)
    return torch.cat(list(cuts), dim=1 if how == "columns" else 0)


def cut(how: str | None, whole: Tensor, experts: int, rank: int, ranks: int) -> Tensor:
    """The part of a tensor that a rank holds; the inverse of `merge`."""
    if how is None or ranks == 1:
        return whole
    if how == "experts":
        return split_rows(whole, experts, -1).chunk(ranks, dim=1)[rank].flatten(0, 1)
    return whole.chunk(ranks, dim=1 if how == "columns" else 0)[rank]


class Layered:
    """Several sources as one: later tensors stand in place of earlier ones, those of a difference are added to them."""

    def __init__(self, layers: Sequence[tuple[Source, bool]]) -> None:
        """``layers`` are sources and whether each is a difference. Raises `ConfigError` for a difference from nothing."""
        self._layers = layers
        self._shapes: dict[str, Shape] = {}
        problems: list[str] = []
        for source, difference in layers:
            for name, shape in source.shapes().items():
                base = self._shapes.get(name)
                if difference and base != shape:
                    problems.append(f"{name}: the difference has shape {shape}, the base {base or 'lacks it'}")
                self._shapes[name] = shape
        refuse(problems, "a difference (model-diff) does not fit its base; name the folder of the base before it")

    def shapes(self) -> Mapping[str, Shape]:
        """Name and shape of every tensor of any layer."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor; sums have the precision of the base."""
        value: Tensor | None = None
        for source, difference in self._layers:
            if name in source.shapes():
                read = source.read(name)
                value = (value + read).to(value.dtype) if difference and value is not None else read
        assert value is not None
        return value

    def release(self) -> None:
        """Let go of what the layers hold."""
        for source, _ in self._layers:
            source.release()


def open_folders(folders: Sequence[Path], experts: int) -> Layered:
    """The weights of folders, later ones over earlier ones. Raises `ConfigError` if one holds no weights of a known form."""
    layers: list[tuple[Source, bool]] = []
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder")
        files = find_files(folder)
        if files is not None:
            layers.append((Merged(files.paths, experts), files.form == "diff"))
        elif (folder / SAFETENSORS).is_file() or list(folder.glob(f"{SAFETENSORS}*")):
            layers.append((Safetensors(folder / SAFETENSORS), False))
        else:
            raise ConfigError(f"{folder}: holds no consolidated.RR-of-WW.model.pth, consolidated.RR.pth or {SAFETENSORS}")
    return Layered(layers)


def write_shards(source: Source, folder: Path, ranks: int, experts: int) -> list[Path]:
    """Write a source with the authors' names for so many ranks, one rank after another; each file appears when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for rank in range(ranks):
        held: dict[str, Tensor] = {}
        size = 0
        for name in source.shapes():
            whole = source.read(name)
            # a copy, since torch.save writes all that a view looks into, and a view keeps its file mapped
            held[name] = cut(split_of(name), whole, experts, rank, ranks).clone(memory_format=torch.contiguous_format)
            size += whole.nbytes
            del whole
            if size > HELD:
                source.release()
                size = 0
        path = folder / f"consolidated.{rank:02}-of-{ranks:02}.model.pth"
        partial = path.with_name(path.name + ".partial")
        torch.save({"model": held}, partial)
        partial.replace(path)
        written.append(path)
        del held
        source.release()
    return written
