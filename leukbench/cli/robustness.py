"""The verbs ``slices``, ``labels`` and ``ablate``: what a run's models go by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leukbench.cli.numbers import whole
from leukbench.protocol import MOST_JOBS

RunArgument = Annotated[Path, typer.Argument(help="Run folder.")]


def slices(
    run: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of the run's images, for brightness, blur, cells, size."
        ),
    ] = None,
) -> int:
    """Score slices of the test images, with intervals, and test each against the rest."""
    from leukbench.robustness.slices import write_slices
    from leukbench.runfolder import RunFolder

    return _shown(write_slices(RunFolder(run), data))


def labels(
    run: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the run's images, for a page that shows them."),
    ] = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Some models only, with commas between.")
    ] = None,
    agree: Annotated[
        int | None, whole("agree", "Models that must agree; more than half by default.", 1)
    ] = None,
) -> int:
    """List images whose label held-out predictions contradict: candidates of label errors."""
    from leukbench.robustness.labels import write_labels
    from leukbench.runfolder import RunFolder
    from leukbench.trials.options import split_names

    chosen = split_names("models", models)
    return _shown(write_labels(RunFolder(run), data, models=chosen, agree=agree))


def ablate(
    run: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the run's images; else synthetic smears."),
    ] = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Some models only, with commas between.")
    ] = None,
    views: Annotated[
        str | None, typer.Option("--views", help="Some views only, with commas between.")
    ] = None,
    jobs: Annotated[int | None, whole("jobs", "Trials side by side.", 1, MOST_JOBS)] = None,
) -> int:
    """Train again with cells, background, colour or structure taken out: what a model can go by."""
    from leukbench.cli.progress import ConsoleReporter
    from leukbench.robustness.ablate import write_ablation
    from leukbench.runfolder import RunFolder
    from leukbench.trials.options import split_names

    chosen, seen = split_names("models", models), split_names("views", views)
    with ConsoleReporter() as reporter:
        written = write_ablation(
            RunFolder(run), data, models=chosen, views=seen, jobs=jobs, reporter=reporter
        )
    return _shown(written)


def _shown(written: list[Path]) -> int:
    """Print the Markdown among what was written, and every path."""
    for path in written:
        if path.suffix == ".md":
            typer.echo(path.read_text(encoding="utf-8"))
    typer.echo("\n".join(map(str, written)))
    return 0
