"""Runs a verb through ``hydra.main``: composes its settings, checks them, runs one job or a multirun, gathers the outcomes.

Jobs of a multirun may run in other processes and on other machines, so each leaves its outcome as a file in its folder of the
sweep, and the command that started them reads those. ``hydra.main`` itself returns nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.catalog import admit
from harness.commands import module_of
from harness.commands.outcome import INCOMPLETE, STOPPED, TERMINATED, USAGE, Outcome, Problem, encode
from harness.commands.overrides import Prepared, quoted
from harness.commands.search import last_run, note_held_out, objective
from harness.errors import ConfigError, HarnessError, Terminated
from harness.results import whole
from harness.schema import read

OUTCOME = "outcome.json"
"""What a job of a multirun leaves in its folder: the document of `harness.commands.outcome`."""


def compose_and_run(verb: str, prepared: Prepared, outcomes: list[Outcome]) -> None:
    """Run ``verb`` with Hydra's words and append to ``outcomes`` what comes of each job, also when a later one crashes."""
    sweep = _sweep_folder(prepared)
    words = [*prepared.words, *([f"hydra.sweep.dir={quoted(str(sweep))}"] if sweep else [])]
    in_process: list[Outcome] = []
    stopped = False
    try:
        failure = _call_hydra(verb, words, in_process, prepared.debug)
        if failure:
            outcomes.append(Outcome(problems=(failure,)))
    except KeyboardInterrupt:
        stopped = True
        raise
    finally:
        if sweep:
            _forget_settings(sweep)
        outcomes.extend(_gathered(sweep, stopped) if sweep and sweep.is_dir() else in_process)
    if sweep:
        outcomes.extend(last_run(sweep, words, lambda last: _single(verb, last, prepared.debug)))


def _single(verb: str, words: Sequence[str], debug: bool) -> list[Outcome]:
    """Run one job by its words."""
    outcomes: list[Outcome] = []
    failure = _call_hydra(verb, words, outcomes, debug)
    return [*outcomes, *([Outcome(problems=(failure,))] if failure else [])]


def job(verb: str, composed: Any) -> Outcome:
    """Run one job on the composed settings; errors meant for the user become problems of the outcome.

    Standard output is for the result alone, so whatever a library prints meanwhile goes to standard error.
    """
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return _run(verb, composed)
        except (HarnessError, OSError) as error:
            if composed.get("debug") is True:
                traceback.print_exc()
            return Outcome(problems=(Problem.of(error),))


def _run(verb: str, composed: Any) -> Outcome:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    module = importlib.import_module(module_of(verb))
    try:
        values = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"settings cannot be resolved: {error}") from error
    config = read(module.CONFIG, values)  # type: ignore[arg-type]
    admit(config.plugins)
    outcome: Outcome = module.run(config)
    return outcome


def _call_hydra(verb: str, words: Sequence[str], outcomes: list[Outcome], debug: bool) -> Problem | None:
    """Run Hydra's main with ``words`` as its command line; return what went wrong outside of a job's own reckoning."""
    import hydra
    from hydra.errors import HydraException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints and exits by itself, and the exit code is always 1
    main = hydra.main(version_base="1.3", config_path="pkg://conf", config_name=verb)(_Job(verb, outcomes))
    with _command_line([f"riddle {verb}", *words]):
        try:
            main()
        except OverrideParseException as error:
            word = error.override.lstrip("+")
            key, _, value = word.partition("=")
            advice = f"values with brackets, commas or = are quoted twice: {shlex.quote(f'{key}={quoted(value)}')}"
            return Problem("ConfigError", f"{word}: cannot be read; {advice}", exit=USAGE)
        except (HydraException, OmegaConfBaseException) as error:
            return Problem("ConfigError", str(error), exit=USAGE)
        except SystemExit as error:
            message = f"the command line cannot be used; see riddle {verb} --help"
            return Problem("UsageError", message, exit=USAGE) if error.code else None
        except ValueError as error:
            if "No trials are completed" not in str(error):  # Optuna's words for it
                raise
            return Problem("SearchError", "no trial of the search gave a number; the problems of its jobs say why")
        except BrokenPipeError:
            raise
        except OSError as error:  # Hydra could not write into the folder of the sweep
            if debug:
                traceback.print_exc()
            return Problem.of(error)
    return None


class _Job:
    """What Hydra calls for each job. An instance of a class, so that launchers can send it to other processes and machines."""

    def __init__(self, verb: str, outcomes: list[Outcome]) -> None:
        self.verb = verb
        self.outcomes = outcomes
        self.__name__ = self.__qualname__ = f"riddle_{verb}"

    def __call__(self, composed: Any) -> float | None:
        """Run the job; the number is for sweepers that search (`harness.commands.search`)."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        if HydraConfig.get().mode == RunMode.MULTIRUN:
            _forget_settings(Path(HydraConfig.get().sweep.dir))
        outcome = job(self.verb, composed)
        self.outcomes.append(outcome)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            folder = Path(HydraConfig.get().runtime.output_dir)
            with whole(folder / OUTCOME) as file:
                file.write_text(encode(outcome.document(self.verb)), encoding="ascii")
            note_held_out(Path(HydraConfig.get().sweep.dir), composed.get("held_out") or ())
        if outcome.exit in STOPPED:  # ends a multirun too: who stops one job does not want the next
            raise Terminated if outcome.exit == TERMINATED else KeyboardInterrupt
        return objective(outcome) if composed.get("held_out") else None


def _sweep_folder(prepared: Prepared) -> Path | None:
    """Return the folder for a multirun's outcomes, fresh in ``runs/.sweeps`` unless the user has chosen one."""
    if not prepared.multirun:
        return None
    stamp = f".sweeps/{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    return Path(_value(prepared, "hydra.sweep.dir") or Path(_value(prepared, "runs") or "runs", stamp))


def _value(prepared: Prepared, key: str) -> str | None:
    """Return the text that a setting was given; None if it was not, or is a sweep."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    for word in reversed(prepared.words):
        if word.lstrip("+").startswith(f"{key}="):
            try:
                override = OverridesParser.create().parse_override(word)
            except HydraException:
                return None
            return None if override.is_sweep_override() else str(override.value())
    return None


def _forget_settings(sweep: Path) -> None:
    """Remove Hydra's ``multirun.yaml``, which holds every setting as it was typed, keys and passwords too."""
    with contextlib.suppress(OSError):
        (sweep / "multirun.yaml").unlink()


def _gathered(sweep: Path, stopped: bool) -> Iterator[Outcome]:
    """Read the outcomes of a sweep's jobs in order; one that left none is a problem of its own, unless the user stopped it."""
    for folder in sorted((f for f in sweep.iterdir() if f.name.isdigit()), key=lambda f: int(f.name)):
        file = folder / OUTCOME
        if file.is_file():
            yield Outcome.of_document(json.loads(file.read_text(encoding="utf-8")))
        elif not stopped:
            message = f"job {folder.name} ended without an outcome; see its messages above or in {folder}"
            yield Outcome(problems=(Problem("JobLost", message, exit=INCOMPLETE),))


@contextlib.contextmanager
def _command_line(words: Sequence[str]) -> Iterator[None]:
    """Let Hydra read ``words`` where it looks for them, in ``sys.argv``."""
    before = sys.argv
    sys.argv = list(words)
    try:
        yield
    finally:
        sys.argv = before
