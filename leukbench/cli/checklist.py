"""The verb ``checklist``: a reporting guideline or card, filled from a run's records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def checklist(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    guideline: Annotated[
        str,
        typer.Option(
            "--for",
            help="tripod-ai, claim, reforms, probast-ai, stard-ai, model-card or data-card.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Markdown file; printed without it.")
    ] = None,
) -> int:
    """Fill a reporting checklist, a model card or a data card from a run's records."""
    from leukbench.checklists.fill import checklist_markdown
    from leukbench.files import write_text
    from leukbench.report.results import Results
    from leukbench.runfolder import RunFolder

    text = checklist_markdown(Results(RunFolder(run)), guideline)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
        typer.echo(str(out))
    return 0
