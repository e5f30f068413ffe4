"""The verbs ``run-all`` and ``run``: the main job."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leukbench.cli import parse

if TYPE_CHECKING:
    from leukbench.runfolder import RunFolder
    from leukbench.trials.prepare import RunOptions

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder with one sub-folder a class; without it, synthetic smears."
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option("--protocol", help="Name or TOML file; paper with --data, demo without."),
]
Models = Annotated[
    str | None, typer.Option("--models", help="Some models only, with commas between.")
]
Seeds = Annotated[str | None, typer.Option("--seeds", help="Seeds, as in 0,1,2 or 0-4.")]
Folds = Annotated[str | None, typer.Option("--folds", help="Some folds of the split only.")]
Epochs = Annotated[
    int | None, typer.Option("--epochs", help="Epochs of every network; changes the protocol.")
]
Task = Annotated[
    str | None,
    typer.Option("--task", help="all or benign-malignant; changes the protocol."),
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", help="auto, float32 or mixed_bfloat16; changes the protocol."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Run folder; results/<dataset>-<protocol> by default.")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", help="Trials side by side; by default as many as end soonest."),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", help="Cores of each trial; this machine's, shared by --jobs."),
]
Backend = Annotated[
    str, typer.Option("--backend", help="local, or dask: on the workers of a Dask cluster.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="Dask scheduler, as in tcp://host:8786; without it, --jobs workers on this machine.",
    ),
]
Timeout = Annotated[
    str | None, typer.Option("--timeout", help="Longest time of one trial, as in 90s, 30m, 2h.")
]
Memory = Annotated[
    str | None, typer.Option("--memory", help="Most memory of one trial, as in 800m, 8g.")
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run again what is finished.")]
SaveModels = Annotated[
    bool, typer.Option("--save-models", help="Keep the fitted models, for leukbench predict.")
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        help="What networks at native size start from: none (random), imagenet, or a file.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def run_all(
    data: Data = None,
    protocol: ProtocolName = None,
    models: Models = None,
    seeds: Seeds = None,
    folds: Folds = None,
    epochs: Epochs = None,
    task: Task = None,
    precision: Precision = None,
    out: Out = None,
    jobs: Jobs = None,
    threads: Threads = None,
    backend: Backend = "local",
    scheduler: Scheduler = None,
    timeout: Timeout = None,
    memory: Memory = None,
    skip_unreadable: SkipUnreadable = False,
    fresh: Fresh = False,
    save_models: SaveModels = False,
    weights: Weights = "none",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> int:
    """Compare all models of a protocol on one folder of images, and write the tables."""
    options = _options(
        data=data,
        protocol=protocol,
        changes={"training__epochs": epochs, "task": task, "training__precision": precision},
        out=out,
        models=parse.names("--models", models),
        seeds=parse.numbers("--seeds", seeds),
        folds=parse.numbers("--folds", folds),
        jobs=jobs,
        threads=threads,
        backend=backend,
        scheduler=scheduler,
        timeout=parse.duration("--timeout", timeout),
        memory_mb=parse.memory("--memory", memory),
        skip_unreadable=skip_unreadable,
        fresh=fresh,
        save_models=save_models,
        weights=weights,
    )
    return _go(options, dry_run=dry_run, as_json=as_json)


def _with_options_of(
    like: Callable[..., int],
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a verb that takes ``**options`` those of another verb, except what it names itself."""

    def give(verb: Callable[..., int]) -> Callable[..., int]:
        own = inspect.signature(verb, eval_str=True)
        named = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        taken = {parameter.name for parameter in named}
        others = inspect.signature(like, eval_str=True).parameters.values()
        both = [*named, *(p for p in others if p.name not in taken)]
        vars(verb)["__signature__"] = own.replace(parameters=both)
        return verb

    return give


@_with_options_of(run_all)
def run_some(
    models: Annotated[list[str], typer.Argument(help="Models to run.")], **options: Any
) -> int:
    """Run some models into the run folder of a protocol."""
    return run_all(models=",".join(models), **options)


def _options(
    *, data: Path | None, protocol: str | None, changes: dict[str, Any], **rest: Any
) -> RunOptions:
    from leukbench.protocol import load_protocol, override
    from leukbench.trials.prepare import RunOptions

    chosen = load_protocol(protocol or ("demo" if data is None else "paper"))
    chosen = override(chosen, **{key: value for key, value in changes.items() if value is not None})
    return RunOptions(protocol=chosen, data=data, command=_command(), **rest)


def _command() -> str:
    """What was typed, with the last name alone of every folder: a record must not tell who ran it."""
    parts = [Path(part).name if "/" in part else part for part in sys.argv[1:]]
    return shlex.join(["leukbench", *parts])


def _go(options: RunOptions, *, dry_run: bool, as_json: bool) -> int:
    from leukbench.cli.progress import make_reporter
    from leukbench.errors import ModelFailure
    from leukbench.trials.execute import execute
    from leukbench.trials.prepare import prepare

    with make_reporter(quiet=as_json) as reporter:
        prepared = prepare(options)
        reporter.prepared(options, prepared)
        if dry_run:
            reporter.plan(options, prepared)
            return 0
        folder = execute(options, prepared, reporter)
    wanted = {plan.key for plan in prepared.plans}
    bad = [record for record in folder.records if record.key in wanted and record.status != "ok"]
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "run": str(folder.path),
                    "trials": {
                        record.key: {"model": record.model, "status": record.status}
                        for record in folder.records
                    },
                }
            )
        )
    else:
        _print_table(folder)
    if bad:
        print(
            f"leukbench: {len(bad)} of {len(prepared.plans)} trials did not end well, the first is "
            f"{bad[0].name}: {bad[0].status}, {bad[0].reason}.",
            file=sys.stderr,
        )
        return ModelFailure.exit_code
    return 0


def _print_table(folder: RunFolder) -> None:
    """The comparison in short, and where the rest lies."""
    import pandas as pd

    from leukbench.report.results import published_values

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
    typer.echo(f"tables, figures and report.html: {folder.path}")
