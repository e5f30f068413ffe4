"""The verb ``export``: hand a run to another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Hand a run to another tool.", no_args_is_help=True)


@app.callback()
def _export() -> None:
    """Hand a run to another tool."""


@app.command("mlflow")
def export_mlflow(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            "--tracking-uri", help="MLFLOW_TRACKING_URI by default, else sqlite:///mlflow.db."
        ),
    ] = None,
    experiment: Annotated[str, typer.Option("--experiment", help="Its name.")] = "leukbench",
) -> int:
    """Log parameters, metrics and tables of a run to MLflow (extra `leukbench[mlflow]`)."""
    from leukbench.report.mlflow import export_run
    from leukbench.runfolder import RunFolder

    identity = export_run(RunFolder(run), tracking_uri=tracking_uri, experiment=experiment)
    typer.echo(f"{run} is MLflow run {identity} of the experiment {experiment}")
    return 0


@app.command("predictions")
def export_predictions(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path, typer.Option("--out", help="File to write: .csv or .parquet.")],
    published: Annotated[
        Path | None,
        typer.Option("--published", help="File for the published values of its models, .csv."),
    ] = None,
) -> int:
    """Write all predictions of a run as one table, which `leukbench score` reads back."""
    from leukbench.outside.export import export_predictions as export
    from leukbench.runfolder import RunFolder

    export(RunFolder(run), out, published)
    typer.echo(f"the predictions of {run} are in {out}")
    return 0
