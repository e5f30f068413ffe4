"""What the gate leaves for people and for CI: text, JSON, JUnit XML, Markdown; and the new baseline."""

from __future__ import annotations

import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leukbench.checks.gate import Change, GateResult
from leukbench.errors import DataError, UsageError
from leukbench.files import write_text
from leukbench.records import read_json
from leukbench.runfolder import RunFolder
from leukbench.score.metrics import METRICS

BASELINE_FILES = (
    "run.json", "split.csv", "audit.json", "comparison.csv", "comparison.md", "comparison.tex",
    "classification_report.csv", "classification_report.md",
)  # fmt: skip
SAVED_MODEL = "model/"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COST_UNITS = {"fit_seconds": "s", "predict_ms_per_image": "ms", "peak_memory_mb": "MiB"}


def write_gate(result: GateResult, out: Path) -> None:
    """Write ``gate.json``, ``gate.junit.xml`` and ``gate.md`` to `out`.

    Where the variable ``GITHUB_STEP_SUMMARY`` names a file, the Markdown is added to it as well.
    """
    markdown = as_markdown(result)
    write_text(out / "gate.json", json.dumps(as_json(result), indent=2, ensure_ascii=False) + "\n")
    write_text(out / "gate.junit.xml", as_junit(result))
    write_text(out / "gate.md", markdown)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8") as stream:
                stream.write(markdown + "\n")
        except OSError as error:
            raise DataError(
                f"GITHUB_STEP_SUMMARY {summary} cannot be written ({error.strerror}): correct or "
                "unset the variable."
            ) from error


def verdict(result: GateResult) -> str:
    """The outcome in one sentence."""
    synthetic = "SYNTHETIC images: " if result.run.synthetic else ""
    pairs = f"{result.trials} trials of {len(result.checked)} models"
    models = list(dict.fromkeys(change.model for change in result.failures))
    if models:
        return f"{synthetic}regression in {', '.join(models)} ({pairs} compared)"
    if result.changes:
        return f"{synthetic}no regression ({pairs} compared)"
    return f"{synthetic}no change ({pairs} compared)"


def describe(change: Change) -> str:
    """One change in one line of plain text."""
    word = "FAIL" if change.failing else "note"
    parts = [f"{word}  {change.model}  {change.metric or change.kind}"]
    if change.difference is not None:
        before, after, difference = _values(change)
        parts.append(f"{before} -> {after} ({difference})")
    if change.p is not None:
        parts.append(f"p = {change.p:.3g}")
    if change.detail:
        parts.append(change.detail)
    return "  ".join(parts)


def as_json(result: GateResult) -> dict[str, Any]:
    """Everything that the gate found, as JSON values; scores are fractions in 0..1."""
    return {
        "passed": result.passed,
        "verdict": verdict(result),
        "run": result.run.path.name,
        "baseline": result.baseline.path.name,
        "synthetic": result.run.synthetic,
        "tolerance": result.tolerance,
        "alpha": result.alpha,
        "trials": result.trials,
        "same_machine": result.same_machine,
        "checked": {model: list(what) for model, what in result.checked.items()},
        "changes": [
            asdict(change) | {"difference": change.difference} for change in result.changes
        ],
    }


def as_junit(result: GateResult) -> str:
    """JUnit XML: a suite a model, a case a score, and one for its trials' states."""
    root = ET.Element("testsuites", name="leukbench gate")
    for model, checked in result.checked.items():
        own = [change for change in result.failures if change.model == model]
        suite = ET.SubElement(root, "testsuite", name=_xml(model))
        for name in dict.fromkeys([*checked, *(c.metric for c in own if c.metric)]):
            case = ET.SubElement(suite, "testcase", classname=_xml(f"gate.{model}"), name=name)
            failing = [change for change in own if (change.metric or "trials") == name]
            if failing:
                lines = [_xml(describe(change)) for change in failing]
                failure = ET.SubElement(case, "failure", type=failing[0].kind, message=lines[0])
                failure.text = "\n".join(lines)
    for part in (root, *root):
        part.set("tests", str(len(part.findall(".//testcase"))))
        part.set("failures", str(len(part.findall(".//failure"))))
        part.set("errors", "0")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def as_markdown(result: GateResult) -> str:
    """GitHub-flavoured Markdown: the verdict, then a table of what changed."""
    mark = "✅" if result.passed else "❌"
    lines = [f"### {mark} leukbench gate: {_cell(verdict(result))}", ""]
    if result.changes:
        lines += ["| | model | what | baseline | run | change | p (Holm) | |"]
        lines += ["|---|---|---|--:|--:|--:|--:|---|"]
        for change in result.changes:
            before, after, difference = _values(change)
            p = "" if change.p is None else f"{change.p:.3g}"
            cells = (
                "❌" if change.failing else "", change.model, change.metric or change.kind,
                before, after, difference, p, change.detail,
            )  # fmt: skip
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    rule = f"A score fails when it falls by more than {result.tolerance:g}; accuracy also when the "
    rule += f"paired exact McNemar test, after Holm, gives p < {result.alpha:g}."
    if not result.same_machine:
        rule += (
            " Times and memory were not compared: the baseline is from another machine, number of "
        )
        rule += "cores, or device."
    return "\n".join([*lines, rule, ""])


def update_baseline(run: Path, baseline: Path) -> RunFolder:
    """Make a run the new baseline: its data, without pictures and saved models.

    The copy is made beside the baseline and put in its place when it is whole.

    Raises
    ------
    UsageError, DataError
        Where the two folders are one or lie in one another, the target is something else than a run
        folder, or it cannot be written.
    """
    source = RunFolder(run)
    target = Path(baseline).resolve()
    origin = source.path.resolve()
    if target == origin or target in origin.parents or origin in target.parents:
        raise UsageError(f"`baseline={baseline}` and {run} overlap: name another folder.")
    if target.is_file() or (
        target.is_dir() and any(target.iterdir()) and not (target / "run.json").is_file()
    ):
        raise UsageError(
            f"`baseline={baseline}` holds something else than a run: name a run folder or a new one."
        )
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        for name in BASELINE_FILES:
            if (origin / name).is_file():
                shutil.copyfile(origin / name, fresh / name)
        for record in source.records:
            _copy_trial(source.trial_path(record), fresh / "trials" / record.key)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except OSError as error:
        if old.exists() and not target.exists():
            old.rename(target)
        raise DataError(
            f"`baseline={baseline}` cannot be written ({error.strerror}): name a folder that can; "
            "the old one is as it was."
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return RunFolder(Path(baseline))


def _copy_trial(source: Path, target: Path) -> None:
    """Copy a record and the files that it names, without the saved model."""
    target.mkdir(parents=True)
    record = read_json(source / "record.json")
    files: Mapping[str, str] = record.get("files", {})
    record["files"] = {n: digest for n, digest in files.items() if not n.startswith(SAVED_MODEL)}
    for name in record["files"]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (target / "record.json").write_text(text, encoding="utf-8", newline="\n")


def _values(change: Change) -> tuple[str, str, str]:
    """Before, after and difference in the units that a person reads."""
    if change.kind == "cost":
        unit = points = f" {_COST_UNITS[change.metric]}"
        scale, digits = 1.0, 1
    elif change.metric in METRICS and METRICS[change.metric].bounds != (0.0, 1.0):
        scale, digits, unit, points = 1.0, 4, "", ""
    else:
        scale, digits, unit, points = 100.0, 2, " %", " points"
    before, after = (
        "" if value is None else f"{scale * value:.{digits}f}{unit}"
        for value in (change.before, change.after)
    )
    difference = change.difference
    signed = "" if difference is None else f"{scale * difference:+.{digits}f}{points}"
    return before, after, signed


def _cell(text: str) -> str:
    """Text for one cell of a Markdown table: no mark-up, no break."""
    flat = " ".join(text.split())
    escaped = flat.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|`*_\[\]])", r"\\\1", escaped)


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _NOT_XML.sub("�", text)
