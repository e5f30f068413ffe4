"""The verb ``multiverse``: every reading of a protocol that leaves choices open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leukbench.cli.numbers import whole
from leukbench.errors import TRIALS_FAILED
from leukbench.protocol import MOST_JOBS


def multiverse(
    file: Annotated[Path, typer.Argument(help="Definition: a TOML file.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of images or of their copies; else synthetic smears."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; results/<name> by default.")
    ] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option("--reuse", help="Take finished trials of any run below; may be repeated."),
    ] = None,
    jobs: Annotated[
        int | None,
        whole("jobs", "Trials side by side, one core each; 2 by default.", 1, MOST_JOBS),
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> int:
    """Run all combinations of a protocol's open choices: specification curve, spread, who wins."""
    from leukbench.cli.progress import ConsoleReporter
    from leukbench.cli.run import typed_command
    from leukbench.multiverse.execute import ask, execute, plan_lines

    with ConsoleReporter() as reporter:
        asked = ask(
            file, data, out=out, reuse=reuse or (), jobs=jobs, skip_unreadable=skip_unreadable,
            command=typed_command(),
        )  # fmt: skip
        if dry_run:
            for line in plan_lines(asked):
                reporter.say(line)
            return 0
        folder = execute(asked, reporter, reporter.say)

    from leukbench.multiverse.tables import Results
    from leukbench.multiverse.words import faults, summary_lines

    results = Results(folder)
    for line in summary_lines(results):
        typer.echo(line)
    typer.echo(str(folder.path))
    if failed := faults(results):
        print(
            f"leukbench: {len(failed)} universes or trials did not end well, the first: {failed[0]}",
            file=sys.stderr,
        )
        return TRIALS_FAILED
    return 0
