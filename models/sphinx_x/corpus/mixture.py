"""A mixture of data sets: what ``conf/mixture`` says of it, and what of it lies on disk.

``conf/mixture/paper.yaml`` is table 9 of the paper (arXiv 2402.05935). Not here: making conversations (`families`), writing
them (`compose`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from harness.data.sources import find_files
from harness.errors import ConfigError
from harness.schema import read
from models.sphinx_x.corpus.families import setting_problems

FILES: Final = ("files", "answers", "names")
"""Settings that name files of annotations; ``pictures`` names where pictures lie."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One data set of a mixture.

    Attributes:
        converter: name of a converter (`models.sphinx_x.corpus.families`)
        settings: of the converter; paths are relative to the mixture's root
        licence: what its publishers state, as a note
        ratio: share of its conversations to take, as in the authors' data files; all unless given
    """

    converter: str
    settings: Mapping[str, Any]
    licence: str
    ratio: float | None = None

    def problems(self) -> Iterator[str]:
        """Yield what is out of range or does not fit the converter."""
        if self.ratio is not None and not 0 < self.ratio <= 1:
            yield f"ratio={self.ratio}: must be above 0 and at most 1"
        yield from setting_problems(self.converter, self.settings, "settings")

    def expects(self) -> list[str]:
        """Return what must lie below the root: patterns of files, and folders of pictures."""
        named = (self.settings.get(key, ()) for key in FILES)
        patterns = [one for value in named for one in ([value] if isinstance(value, str) else value) if one]
        folders = "|".join(_folder(one) for one in str(self.settings.get("pictures", "")).split("|"))
        return [*("|".join(_fixed(one) for one in pattern.split("|")) for pattern in patterns), *([folders] if folders else [])]

    def missing(self, root: Path) -> list[str]:
        """Return what of that is not there."""
        return [one for one in self.expects() if not any(_is_there(root, part) for part in one.split("|"))]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Data sets that count as one row of the mixture.

    Attributes:
        kind: text, or image_text; the authors' sampler keeps the two apart
        count: conversations of the group in the paper
        sets: the data sets by name
    """

    kind: Literal["text", "image_text"]
    count: int | None = None
    sets: Mapping[str, DataSet] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What to compose; ``groups`` is read by `read_mixture`.

    Attributes:
        name: of the mixture
        root: folder of the data sets
        out: folder to write to; runs/corpus/NAME if empty
        fit: whether a group that holds more than its count is sampled down to it
        scale: multiplies every count
        turns: most questions that one conversation asks about one picture
        shard: conversations a file
        drawn: pictures to draw for each data set where root holds none
        groups: rows of the mixture by name
    """

    name: str
    root: Path
    out: str = ""
    fit: bool = True
    scale: float = 1.0
    turns: int = 8
    shard: int = 100_000
    drawn: int = 0
    groups: Mapping[str, Any] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        for name in ("scale", "turns", "shard"):
            if getattr(self, name) <= 0:
                yield f"{name}={getattr(self, name)}: must be above 0"

    @property
    def folder(self) -> Path:
        """Where the composition is written."""
        return Path(self.out or f"runs/corpus/{self.name}")

    def wanted(self, group: Group) -> int | None:
        """How many conversations a group is sampled down to; None for all."""
        return max(1, round(group.count * self.scale)) if self.fit and group.count else None


def read_mixture(settings: Mapping[str, Any]) -> tuple[Mixture, dict[str, Group]]:
    """Check the settings of a mixture with all its data sets.

    Raises:
        ConfigError: names everything that is wrong together.
    """
    problems: list[str] = []
    mixture = _checked(Mixture, settings, "mixture.", problems)
    groups: dict[str, Group] = {}
    names: set[str] = set()
    for name, values in (settings.get("groups") or {}).items():
        where = f"mixture.groups.{name}."
        sets = {
            key: _checked(DataSet, one, f"{where}sets.{key}.", problems) for key, one in (values.get("sets") or {}).items() if one
        }
        groups[name] = _checked(Group, {**values, "sets": sets}, where, problems)
        problems += [f"{where}sets.{key}: another group has a data set of this name" for key in sets if key in names]
        names |= set(sets)
    if problems:
        raise ConfigError("\n".join(problems))
    return mixture, groups


def _checked(shape: type[Any], values: Mapping[str, Any], prefix: str, problems: list[str]) -> Any:
    try:
        return read(shape, values)
    except ConfigError as error:
        problems += [f"{prefix}{line}" for line in str(error).splitlines()]
        return None


def _folder(template: str) -> str:
    """Return the folder that a template of a picture's path names before its first column; empty if it begins with one."""
    return posixpath.dirname(template.partition("{")[0]) if "{" in template else template


def _fixed(pattern: str) -> str:
    """Return a pattern of files with ``*`` for a column (``Annotations/{name}.xml``)."""
    before, brace, after = pattern.partition("{")
    return f"{before}*{after.partition('}')[2]}" if brace else pattern


def _is_there(root: Path, pattern: str) -> bool:
    return root.is_dir() and ((root / pattern).exists() or bool(find_files([root], pattern)))
