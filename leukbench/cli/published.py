"""The verb ``check-table``: can a published table be true?"""

from __future__ import annotations

from typing import Annotated

import typer

from leukbench.cli.numbers import whole
from leukbench.cli.validity import AsJson


def check_table(
    source: Annotated[str, typer.Argument(help="paper, or a CSV file or text report.")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="How shares were taken: auto, binary, macro, weighted, micro or mean."
        ),
    ] = None,
    classes: Annotated[int | None, whole("classes", "Classes of a macro average.", 2)] = None,
    images: Annotated[
        int, whole("images", "Largest binary test set to search, in images.", 2)
    ] = 1000,
    as_json: AsJson = False,
) -> int:
    """Say whether the arithmetic of a published table can be true; exit code 1 if a row cannot."""
    from leukbench.published import check_table as check

    report = check(source, kind=kind, classes=classes, images=images)
    typer.echo(report.to_json() if as_json else "\n".join(report.lines()))
    return report.exit_code
