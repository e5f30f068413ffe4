"""The verb ``run-all``: the main job."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leukbench.trials.options import RunOptions

if TYPE_CHECKING:
    from leukbench.runfolder import RunFolder

FLAGS = {"memory_mb": "--memory"}
"""Flags that are not called as their option."""
NOT_WELL = 2
"""Exit code where a trial failed, ran out of time or memory, or ended degenerate."""


def run_all(*, dry_run: bool, as_json: bool, **options: Any) -> int:
    """Compare all models of a protocol on one folder of images, and write the tables."""
    from leukbench.cli.progress import make_reporter
    from leukbench.trials.execute import execute
    from leukbench.trials.prepare import prepare

    with make_reporter(quiet=as_json) as reporter:
        prepared = prepare(RunOptions(**options, command=_command()))
        reporter.prepared(prepared)
        if dry_run:
            reporter.plan(prepared)
            return 0
        folder = execute(prepared, reporter)
    if as_json:
        trials = {r.key: {"model": r.model, "status": r.status} for r in folder.records}
        typer.echo(json.dumps({"run": str(folder.path), "trials": trials}))
    else:
        _print_table(folder)
    wanted = {plan.key for plan in prepared.plans}
    bad = [record for record in folder.records if record.key in wanted and record.status != "ok"]
    if bad:
        print(
            f"leukbench: {len(bad)} of {len(prepared.plans)} trials did not end well, the first is "
            f"{bad[0].name}: {bad[0].status}, {bad[0].reason}.",
            file=sys.stderr,
        )
        return NOT_WELL
    return 0


def _signature() -> inspect.Signature:
    """One option of the command line for each of `RunOptions`, typed as text where that reads text."""

    def parameter(name: str, kind: Any, default: Any, flag: str, text: str) -> inspect.Parameter:
        option = Annotated[kind, typer.Option(flag, help=text)]
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option
        )

    parameters = []
    for name, field in RunOptions.model_fields.items():
        if not field.description:
            continue  # not for users
        kind: Any = bool if field.annotation is bool else str
        if name in ("jobs", "threads", "epochs"):
            kind = int
        elif name in ("data", "out"):
            kind = Path
        default = None if field.is_required() else field.default
        flag = FLAGS.get(name, "--" + name.replace("_", "-"))
        kind = kind | None if default is None else kind
        parameters.append(parameter(name, kind, default, flag, field.description))
    parameters.append(parameter("dry_run", bool, False, "--dry-run", "Print the plan and stop."))
    parameters.append(parameter("as_json", bool, False, "--json", "Print the result as JSON."))
    return inspect.Signature(parameters, return_annotation=int)


vars(run_all)["__signature__"] = _signature()


def _command() -> str:
    """What was typed, with the last name alone of every folder: a record must not tell who ran it."""
    parts = [Path(part).name if "/" in part else part for part in sys.argv[1:]]
    return shlex.join(["leukbench", *parts])


def _print_table(folder: RunFolder) -> None:
    """The comparison in short, and where the rest lies."""
    import pandas as pd

    table = pd.read_csv(folder.path / "comparison.csv")
    if folder.synthetic:
        typer.echo("SYNTHETIC: rendered images; these numbers say nothing about real ones.")
    width = int(table["title"].str.len().max())
    typer.echo(f"{'':<{width}}  accuracy  95 % interval  published")
    for row in table.to_dict("records"):
        low, high = row["accuracy_low"], row["accuracy_high"]
        accuracy = f"{row['accuracy']:.1%}" if pd.notna(row["accuracy"]) else "-"
        interval = f"{low:>6.1%}-{high:.1%}" if pd.notna(low) else ""
        other = " (other data)" if "another data set" in str(row["published_source"]) else ""
        published = "" if row["family"] == "probe" else f"{row['published_accuracy']}{other}"
        note = "" if row["status"] == "ok" else f"  {row['status']}"
        line = f"{row['title']:<{width}}  {accuracy:>8}  {interval:<13}  {published}{note}"
        typer.echo(line.rstrip())
    typer.echo(f"tables, figures and report.html: {folder.path}")
