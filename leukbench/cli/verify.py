"""The verb ``verify``: recompute what is stored, and name every difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def verify(
    folder: Annotated[Path, typer.Argument(help="A run folder, or a folder of run folders.")],
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Folder of the run's images, to read every byte of them too."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Recompute hashes, counts and tables from the stored predictions: exit code 1 if any differs."""
    from leukbench.checks.verify import run_folders, verify_run
    from leukbench.errors import REGRESSION

    by_run = {path: verify_run(path) for path in run_folders(folder)}
    if images is not None:
        from leukbench.checks.verify_images import verify_images

        for path in by_run:
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
