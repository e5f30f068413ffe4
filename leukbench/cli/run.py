"""The verb ``run-all``: the main job."""

from __future__ import annotations

import inspect
import shlex
import sys
import webbrowser
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leukbench.cli.numbers import whole
from leukbench.errors import TRIALS_FAILED, flag_of
from leukbench.protocol import MOST_EPOCHS, MOST_JOBS
from leukbench.trials.options import RunOptions

if TYPE_CHECKING:
    from leukbench.runfolder import RunFolder


def run_all(*, dry_run: bool, json: bool, open: bool, **options: Any) -> int:
    """Compare all models of a protocol on one folder of images, and write the tables."""
    from leukbench.cli.progress import ConsoleReporter
    from leukbench.trials.execute import execute
    from leukbench.trials.prepare import prepare

    with ConsoleReporter(quiet=json) as reporter:
        prepared = prepare(RunOptions(**options, command=typed_command()))
        reporter.prepared(prepared)
        if dry_run:
            reporter.plan(prepared)
            return 0
        folder = execute(prepared, reporter)
    if json:
        trials = {r.key: {"model": r.model, "status": r.status} for r in folder.records}
        typer.echo(dumps({"run": str(folder.path), "trials": trials}))
    else:
        print_table(folder)
        if open:
            webbrowser.open((folder.path / "report.html").resolve().as_uri())
    wanted = {plan.key for plan in prepared.plans}
    bad = [record for record in folder.records if record.key in wanted and record.status != "ok"]
    if bad:
        print(
            f"leukbench: {len(bad)} of {len(prepared.plans)} trials did not end well, the first is "
            f"{bad[0].name}: {bad[0].status}, {bad[0].reason}.",
            file=sys.stderr,
        )
        return TRIALS_FAILED
    return 0


def _signature() -> inspect.Signature:
    """One flag for each option of `RunOptions`; what is no number, folder or switch comes as text."""
    kinds = {"data": Path, "labels": Path, "out": Path}
    most = {"epochs": MOST_EPOCHS, "jobs": MOST_JOBS, "threads": MOST_JOBS}

    def flag(name: str, default: Any, text: str) -> inspect.Parameter:
        kind: Any = bool if isinstance(default, bool) else kinds.get(name, str)
        option = typer.Option(flag_of(name), help=text)
        if name in most:
            kind, option = int, whole(name, text, 1, most[name])
        kind = kind | None if default is None else kind
        annotation = Annotated[kind, option]
        only = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, only, default=default, annotation=annotation)

    flags = [
        flag(name, None if field.is_required() else field.default, field.description)
        for name, field in RunOptions.model_fields.items()
        if field.description
    ]
    flags.append(flag("dry_run", False, "Print the plan and stop."))
    flags.append(flag("open", False, "Open the page in the browser when all is done."))
    flags.append(flag("json", False, "Print the result as JSON."))
    return inspect.Signature(flags, return_annotation=int)


vars(run_all)["__signature__"] = _signature()


def typed_command() -> str:
    """What was typed, with the last name alone of every folder: a record must not tell who ran it."""
    parts = [
        Path(part).name if "/" in part and "(?P<" not in part else part for part in sys.argv[1:]
    ]
    return shlex.join(["leukbench", *parts])


def print_table(folder: RunFolder) -> None:
    """The comparison in short, and where the rest lies."""
    import pandas as pd

    from leukbench.report.audit_view import divided_patients
    from leukbench.report.closing import closing_sentences
    from leukbench.report.results import published_values

    for sentence in divided_patients(folder):
        typer.echo(sentence)
    published = published_values(folder)
    table = pd.read_csv(folder.path / "comparison.csv")
    if folder.synthetic:
        typer.echo("SYNTHETIC: rendered images; these numbers say nothing about real ones.")
    width = int(table["title"].str.len().max())
    typer.echo(f"{'':<{width}}  accuracy  95 % interval  published")
    for row in table.to_dict("records"):
        low, high = row["accuracy_low"], row["accuracy_high"]
        accuracy = f"{row['accuracy']:.1%}" if pd.notna(row["accuracy"]) else "-"
        interval = f"{low:>6.1%}-{high:.1%}" if pd.notna(low) else ""
        values = published.get(row["model"])
        other = " (other data)" if values and values.accuracy and not values.same_data else ""
        printed = "" if row["family"] == "probe" else f"{row['published_accuracy']}{other}"
        note = "" if row["status"] == "ok" else f"  {row['status']}"
        line = f"{row['title']:<{width}}  {accuracy:>8}  {interval:<13}  {printed}{note}"
        typer.echo(line.rstrip())
    typer.echo("")
    for sentence in closing_sentences(folder):
        typer.echo(sentence)
