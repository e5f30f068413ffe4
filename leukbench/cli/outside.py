"""The verb ``score``: what no training of leukbench made, scored like a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(
    predictions: Annotated[
        list[Path], typer.Argument(help="Tables of predictions, CSV or Parquet.")
    ],
    groups: Annotated[
        Path | None,
        typer.Option("--groups", help="Table with the columns image and group (patient, slide)."),
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option("--published", help="Table of published values: model, accuracy, ..."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder; results/NAME-outside by default.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the images.")] = None,
    benign: Annotated[
        str, typer.Option("--benign", help="Class that is not malignant, for costs.")
    ] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace what another test left in the folder.")
    ] = False,
) -> int:
    """Score predictions of any program: tables, intervals, paired tests, figures and the page."""
    from leukbench.cli.run import print_table, typed_command
    from leukbench.outside.score import score_tables

    folder = score_tables(
        predictions, groups=groups, published=published, out=out, name=name, benign=benign,
        fresh=fresh, command=typed_command(),
    )  # fmt: skip
    print_table(folder)
    return 0
