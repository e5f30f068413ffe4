"""The verb ``replay``: known leaky evaluations beside the honest number."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leukbench.cli.numbers import whole
from leukbench.errors import TRIALS_FAILED
from leukbench.protocol import MOST_EPOCHS, MOST_JOBS


def replay(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of images; without it, synthetic smears.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="Model.")] = "modified_cnn",
    seeds: Annotated[str | None, typer.Option("--seeds", help="Seeds, as in 0,1,2 or 0-2.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; results/<dataset>-replay by default.")
    ] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", help="Name or TOML file; fold 0 of its split is taken.")
    ] = "paper",
    mistakes: Annotated[
        str | None, typer.Option("--mistakes", help="Some mistakes only, with commas between.")
    ] = None,
    jobs: Annotated[
        int | None,
        whole("jobs", "Trainings side by side, one core each; 2 by default.", 1, MOST_JOBS),
    ] = None,
    epochs: Annotated[
        int | None, whole("epochs", "Epochs of a network; changes the protocol.", 1, MOST_EPOCHS)
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
    ] = False,
) -> int:
    """Replay known leaky evaluations: honest, LEAKY and difference; never results, never ranked."""
    from leukbench.cli.progress import ConsoleReporter
    from leukbench.cli.run import typed_command
    from leukbench.replay.execute import ask, execute
    from leukbench.replay.tables import PAGE, PICTURE, TABLE

    with ConsoleReporter() as reporter:
        asked = ask(
            data, model, out=out, protocol=protocol, seeds=seeds, mistakes=mistakes, epochs=epochs,
            jobs=jobs, command=typed_command(), skip_unreadable=skip_unreadable,
        )  # fmt: skip
        reporter.prepared(asked.prepared)
        folder = execute(asked, reporter)
    typer.echo((folder.path / PAGE).read_text(encoding="utf-8"))
    typer.echo("\n".join(str(folder.path / name) for name in (TABLE, PAGE, PICTURE)))
    done = {record.key for seeds_of in folder.records.values() for record in seeds_of.values()}
    failed = [plan.name for plan in asked.prepared.plans if plan.key not in done]
    if failed:
        print(
            f"leukbench: {len(failed)} of {len(asked.prepared.plans)} trainings failed, the first is "
            f"{failed[0]}: see its record.json.",
            file=sys.stderr,
        )
        return TRIALS_FAILED
    return 0
