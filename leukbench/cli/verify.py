"""The verb ``verify``: recompute what is stored, and name every difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def verify(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A run folder, one of replays or of a multiverse, or a folder of such."
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Folder of the run's images, to read every byte of them too."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Recompute hashes, counts and tables from the stored predictions: exit code 1 if any differs."""
    from leukbench.checks.verify import has_runs, run_folders, verify_run
    from leukbench.errors import REGRESSION
    from leukbench.multiverse.verify import multiverse_folders, verify_multiverse
    from leukbench.replay.verify import replay_folders, verify_replay
    from leukbench.robustness.verify import verify_robustness

    replays, multiverses = replay_folders(folder), multiverse_folders(folder)
    runs = run_folders(folder) if has_runs(folder) or not (replays or multiverses) else []
    by_run = {path: [*verify_run(path), *verify_robustness(path)] for path in runs}
    by_run |= {path: verify_replay(path) for path in replays}
    by_run |= {path: verify_multiverse(path) for path in multiverses}
    if images is not None:
        from leukbench.checks.verify_images import verify_images

        for path in runs:
            by_run[path] += verify_images(path, images)
    if as_json:
        listed = {
            str(path): [{"file": one.file, "what": one.what} for one in differences]
            for path, differences in by_run.items()
        }
        typer.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    else:
        for path, differences in by_run.items():
            for difference in differences:
                typer.echo(f"{path}/{difference}")
            typer.echo(
                f"{path}: {len(differences) or 'no'} difference{'' if len(differences) == 1 else 's'}"
            )
    return REGRESSION if any(by_run.values()) else 0
