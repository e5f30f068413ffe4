"""The verb ``status``: how a run is, from another terminal."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer


def status(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Tell what runs, since when, what is left and what failed; and a dead run from a slow one."""
    from leukbench.trials.status import read_status, status_lines

    found = read_status(run)
    if not as_json:
        typer.echo("\n".join(status_lines(found)))
        return 0
    owner = found.owner
    failed = {record.key: record.status for record in found.failed}
    values = {
        "run": str(found.path),
        "state": found.state,
        "silence_seconds": found.silence,
        "owner": owner and owner.model_dump(),
        "running": [trial.model_dump() for trial in found.running],
        "done": sum(record.scored for record in found.trials),
        "left": found.left,
        "failed": failed,
    }
    typer.echo(dumps(values))
    return 0
