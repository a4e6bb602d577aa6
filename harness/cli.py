"""The command ``riddle``: finds the verb, runs it, prints its result, and says by its exit code whether the work is complete.

Exit codes: 0 all the work asked for is complete; 1 some of it failed or is unfinished; 2 the command or a setting is wrong;
130 interrupted, 143 ended by SIGTERM (the same command goes on where either stopped). An exit code of 1 with a traceback is a
bug of riddle's own. ``riddle gate`` has its verdict for exit code: 0 pass, 1 fail, 2 inconclusive, 3 invalid.

Only what `--help` and `ls` need is imported here. Hydra and everything heavier comes with the verb that uses it.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import sys
from collections.abc import Sequence

from harness.commands import VERBS, module_of
from harness.commands.outcome import INCOMPLETE, INTERRUPTED, STOPPED, TERMINATED, Outcome, Problem
from harness.commands.tables import printable
from harness.engine.watch import terminable
from harness.errors import ConfigError, HarnessError, Terminated

USAGE_TEXT = """\
riddle asks multimodal models the field's benchmarks, scores them as the official scorers do, and says how sure it is.

usage: riddle VERB [SETTING=VALUE ...]        riddle VERB --help lists the settings of a verb

{verbs}

Settings are Hydra overrides. -m runs every combination of comma-separated values (riddle eval -m model=nano,chance),
--cfg job shows the composed settings, output=json prints one JSON document on standard output.
Exit codes: 0 complete · 1 failed or unfinished · 2 wrong command or setting · 130 interrupted · 143 ended by SIGTERM;
of riddle gate: 0 pass · 1 fail · 2 inconclusive · 3 invalid, a wrong setting too."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line ``words`` (without the program's name) and return its exit code."""
    words = list(sys.argv[1:] if words is None else words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that is not UTF-8 gets a ? for what it cannot show
            stream.reconfigure(errors="replace")
    try:
        with terminable():
            return _dispatch(words)
    except BrokenPipeError:  # whoever read our output has stopped reading, as in `riddle ls tasks | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INCOMPLETE


def _dispatch(words: list[str]) -> int:
    verb, *rest = words or ["--help"]
    if verb in ("--help", "-h", "help"):
        _say(_usage())
        return 0
    if verb in ("--version", "-V"):
        _say(f"riddle {_version()}")
        return 0
    if verb not in VERBS:
        from harness.names import suggestion

        unknown = ConfigError(f"no verb {verb!r}{suggestion(verb, VERBS)}; verbs: {', '.join(VERBS)}. See riddle --help")
        outcome = Outcome(problems=(Problem.of(unknown),))
        _deliver(verb, outcome, _asks_json(words))
        return outcome.exit
    if {"--help", "-h"} & set(rest):
        from harness.commands.describe import verb_help

        _say(verb_help(verb))
        return 0
    return _run(verb, rest)


def _run(verb: str, words: list[str]) -> int:
    """Run one verb and deliver its outcome, also when it is interrupted or crashes in the middle of a multirun."""
    crashed = Outcome(problems=(Problem("Crash", "a bug of riddle's own; the traceback is on standard error"),))
    outcomes = [crashed]
    as_json = _asks_json(words)
    try:
        if verb == "ls":
            from harness.commands.ls import run

            outcomes.append(run(words))
        else:
            from harness.commands.composed import compose_and_run
            from harness.commands.overrides import prepare

            compose_and_run(verb, prepare(verb, words), outcomes)
        outcomes.remove(crashed)
    except HarnessError as error:
        outcomes[0] = Outcome(problems=(Problem.of(error),))
    except KeyboardInterrupt as error:
        outcomes.remove(crashed)
        if Outcome.merged(outcomes).exit not in STOPPED:  # else the job that was interrupted has said so
            outcomes.append(Outcome(problems=(_stopped(error),)))
    finally:
        outcome = Outcome.merged(outcomes)
        if verb == "gate":
            from harness.commands.gate import invalid

            outcome = invalid(outcome)
        _deliver(verb, outcome, as_json)
    return outcome.exit


def _stopped(error: KeyboardInterrupt) -> Problem:
    by, code = ("system (SIGTERM)", TERMINATED) if isinstance(error, Terminated) else ("user", INTERRUPTED)
    return Problem("Interrupted", f"stopped by the {by}; the same command goes on where this one stopped", exit=code)


def _asks_json(words: Sequence[str]) -> bool:
    """Whether the last word on ``output`` asks for JSON, in any of Hydra's spellings (``++output="json"``)."""
    said = [match[1] for word in words if (match := re.fullmatch(r"""\+{0,2}output=["']?(\w*)["']?""", word))]
    return said[-1:] == ["json"]


def _deliver(verb: str, outcome: Outcome, as_json: bool) -> None:
    """Print results on standard output and problems on standard error."""
    if as_json:
        from harness.commands.outcome import encode

        _say(encode(outcome.document(verb)))
    elif outcome.results:
        _say(importlib.import_module(module_of(verb)).show(outcome.results))
    for problem in outcome.problems:
        where = f" ({problem.where})" if problem.where else ""
        _complain(f"{problem.kind}{where}: {printable(problem.message, keep=chr(10))}")


def _usage() -> str:
    from harness.commands.tables import entries

    listing = entries([(f"  {name}", f"{verb.summary:<66} {verb.example}") for name, verb in VERBS.items()], width=160)
    return USAGE_TEXT.format(verbs=listing)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("riddle-eval")
    except PackageNotFoundError:
        return "(not installed)"


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
