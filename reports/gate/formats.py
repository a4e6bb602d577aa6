"""Writes a gate's verdicts for machines and people: JSON, Markdown for a pull request, JUnit XML for a build server.

Names come from run folders and replies, so nothing of them reaches Markdown or XML unescaped (`reports.visible`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.results import whole
from reports.gate.check import GateReport
from reports.gate.verdicts import Verdict
from reports.markdown import escaped, table_line
from reports.visible import plain

EXITS: Mapping[str, int] = {"pass": 0, "fail": 1, "inconclusive": 2, "invalid": 3}

_SIGNS = {"pass": "✅", "fail": "❌", "inconclusive": "❔", "invalid": "⛔"}


def record(report: GateReport) -> dict[str, Any]:
    """Return the verdicts as plain values; numbers that there are none of are None."""
    baseline, candidate = report.models
    return {
        "kind": "gate",
        "verdict": report.word,
        "exit": EXITS[report.word],
        "alpha": report.policy.alpha,
        "baseline": {"named": report.baseline, "model": baseline},
        "candidate": {"named": report.candidate, "model": candidate},
        "gates": [_recorded(verdict) for verdict in report.verdicts],
    }


def _recorded(verdict: Verdict) -> dict[str, Any]:
    tested = verdict.tested
    evidence = {} if tested.evidence is None else {name: _finite(value) for name, value in asdict(tested.evidence).items()}
    counts = {} if tested.counts is None else asdict(tested.counts)
    rule = {name: getattr(tested.rule, name) for name in ("mode", "tolerated", "margin")}
    head = {"task": tested.task, "metric": tested.metric, "unit": tested.unit, "verdict": verdict.word, "why": verdict.why}
    flaws = [] if tested.counts is None else list(tested.counts.flaws())
    return {**head, **rule, **evidence, "p_adjusted": verdict.p_adjusted, "counts": counts, "flaws": flaws, **tested.facts}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(report: Mapping[str, Any], out: Path) -> list[Path]:
    """Write ``gate.json``, ``gate.md`` and ``gate.xml`` into a folder; return the paths. Takes what `record` returns."""
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "gate.json": json.dumps(report, indent=1, ensure_ascii=True, allow_nan=False) + "\n",
        "gate.md": as_markdown(report),
        "gate.xml": as_junit(report),
    }
    for name, text in texts.items():
        with whole(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def as_markdown(report: Mapping[str, Any]) -> str:
    """Return a comment for a pull request: the verdict, a line a benchmark, and why each is what it is."""
    candidate, baseline = (_escaped(report[side]["model"] or report[side]["named"]) for side in ("candidate", "baseline"))
    level = f"{100 * (1 - report['alpha']):g} %"
    lines = [f"### {_SIGNS[report['verdict']]} gate: {report['verdict']}", "", f"{candidate} against {baseline}", ""]
    head = ["", "benchmark", "metric", "baseline", "candidate", f"difference [{level}, all together]", "adjusted p", "why"]
    lines += [table_line(head), table_line(["---"] * len(head))]
    lines += [table_line(list(_cells(gate))) for gate in report["gates"]]
    lines += ["", "Losses are negative. Samples without a reply count as wrong. An interval holds for all benchmarks at once."]
    return "\n".join(lines) + "\n"


def _cells(gate: Mapping[str, Any]) -> Iterator[str]:
    yield _SIGNS[gate["verdict"]]
    yield _escaped(gate["task"])
    yield _escaped(gate["metric"])
    yield from shown(gate)
    yield _escaped("; ".join(said(gate)))


def shown(gate: Mapping[str, Any]) -> list[str]:
    """Write both values, the difference and its adjusted p; nothing where nothing was compared."""
    if "n" not in gate:
        return ["", "", "", ""]
    values = [amount(gate[side], gate["unit"]) for side in ("baseline", "candidate")]
    return [*values, interval(gate), f"{gate['p_adjusted']:.2g}"]


def said(gate: Mapping[str, Any]) -> Iterator[str]:
    """Say why a benchmark's verdict is what it is, what would decide it, and what of the answers is none."""
    yield str(gate["why"])
    if gate["verdict"] == "inconclusive" and gate.get("n_needed"):
        yield f"{gate['n_needed']} of what is counted would decide, there are {gate['n']}"
    yield from gate["flaws"]
    if gate.get("differs"):
        yield f"compared although {gate['differs']}"


def amount(value: float | None, unit: str) -> str:
    """Write a value of a metric; a missing one as a dash."""
    return "–" if value is None else f"{value * (100 if unit == 'percent' else 1):.2f}"


def signed(value: float | None, unit: str) -> str:
    """Write a difference with its sign."""
    return "–" if value is None else f"{value * (100 if unit == 'percent' else 1):+.2f}"


def interval(gate: Mapping[str, Any]) -> str:
    """Write a difference with its interval."""
    difference, low, high = (signed(gate[name], gate["unit"]) for name in ("difference", "low", "high"))
    return f"{difference} [{low}, {high}]"


def as_junit(report: Mapping[str, Any]) -> str:
    """Return a JUnit file with a test case a benchmark; what is not passed is a failure, what is invalid an error."""
    gates = report["gates"]
    invalid = sum(gate["verdict"] == "invalid" for gate in gates) or int(not gates)
    failures = sum(gate["verdict"] in ("fail", "inconclusive") for gate in gates)
    counts = {"tests": str(max(1, len(gates))), "failures": str(failures), "errors": str(invalid), "skipped": "0", "time": "0"}
    root = ElementTree.Element("testsuites", {"name": "riddle gate", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": "riddle gate", **counts})
    owner = _xml(report["candidate"]["model"] or report["candidate"]["named"])
    for gate in gates:
        title = _xml(f"{gate['task']}: {gate['metric']} ({gate['mode']})")
        case = ElementTree.SubElement(suite, "testcase", {"classname": f"riddle.gate.{owner}", "name": title, "time": "0"})
        if gate["verdict"] != "pass":
            kind = "error" if gate["verdict"] == "invalid" else "failure"
            told = _xml("; ".join(said(gate)))
            ElementTree.SubElement(case, kind, {"message": told, "type": gate["verdict"]}).text = told
    if not gates:
        case = ElementTree.SubElement(suite, "testcase", {"classname": f"riddle.gate.{owner}", "name": "policy", "time": "0"})
        ElementTree.SubElement(case, "error", {"message": "nothing was gated", "type": "invalid"})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _escaped(text: str) -> str:
    """Escape a text for Markdown; a word joiner keeps names in it from calling people."""
    return escaped(text).replace("@", "@\u2060")


def _xml(text: str) -> str:
    """Keep what XML 1.0 can hold: hidden and control characters are named, the two non-characters are dropped."""
    return plain(text).replace("\ufffe", "").replace("\uffff", "")
