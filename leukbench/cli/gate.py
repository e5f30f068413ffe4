"""The verb ``gate``: a run against a baseline, for people and for CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from leukbench.cli.numbers import number


def gate(
    run: Annotated[Path, typer.Argument(help="Run folder to judge.")],
    baseline: Annotated[Path, typer.Option("--baseline", help="Run folder to compare with.")],
    tolerance: Annotated[
        float, number("tolerance", "Fall of a score that may pass, 0 to 1.", 0, 1)
    ] = 0.01,
    metrics: Annotated[
        str | None, typer.Option("--metrics", help="Scores to watch, with commas between.")
    ] = None,
    max_slowdown: Annotated[
        float | None,
        number("max_slowdown", "Fail beyond this ratio of time or memory.", 1),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Make the run the new baseline, whatever it shows.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where gate.json, .md and .junit.xml go; the run by default."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare a run with a baseline, like with like: exit code 1 where it got worse."""
    from leukbench.checks.gate_report import update_baseline

    if update:
        folder = update_baseline(run, baseline)
        typer.echo(f"{folder.path} is now the baseline: {len(folder.records)} trials of {run}")
        return 0
    from leukbench.checks.gate import GATE_METRICS, compare_with_baseline
    from leukbench.checks.gate_report import as_json as to_json
    from leukbench.checks.gate_report import describe, verdict, write_gate
    from leukbench.errors import REGRESSION
    from leukbench.trials.options import split_names

    result = compare_with_baseline(
        run,
        baseline,
        tolerance=tolerance,
        metrics=split_names("metrics", metrics) or GATE_METRICS,
        max_slowdown=max_slowdown,
    )
    write_gate(result, out or run)
    if as_json:
        typer.echo(json.dumps(to_json(result), indent=2, ensure_ascii=False))
    else:
        for change in result.changes:
            typer.echo(describe(change))
        typer.echo(verdict(result))
    return 0 if result.passed else REGRESSION
