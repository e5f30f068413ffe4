"""The verbs ``audit`` and ``split``: may the numbers be believed?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leukbench.cli.data import GroupPattern, LabelPattern, Labels

Folder = Annotated[Path, typer.Argument(help="Folder of images.")]
ProtocolName = Annotated[str, typer.Option("--protocol", help="Name or TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Skip = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
]


def audit(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for audit.json and audit.csv.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="Look across the split of this protocol too.")
    ] = None,
    labels: Labels = None,
    label_pattern: LabelPattern = None,
    group_pattern: GroupPattern = None,
    skip_unreadable: Skip = False,
    as_json: AsJson = False,
) -> int:
    """Look for duplicates, overlapping fields, label conflicts and giveaways."""
    from leukbench.audit.leaks import refuse_leakage
    from leukbench.data.folder import load_folder
    from leukbench.files import write_text
    from leukbench.protocol import load_protocol
    from leukbench.trials.prepare import audited_split, cached_audit

    chosen = load_protocol(protocol) if protocol else None
    images = load_folder(
        folder,
        labels=labels,
        label_pattern=label_pattern,
        group_pattern=group_pattern,
        skip_unreadable=skip_unreadable,
    )
    report = audited_split(images, chosen)[2] if chosen else cached_audit(images)
    if out is not None:
        write_text(out / "audit.json", report.model_dump_json(indent=2) + "\n")
        write_text(out / "audit.csv", report.to_frame().to_csv(index=False, lineterminator="\n"))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        typer.echo("\n".join(report.lines()))
    if chosen is not None:
        refuse_leakage(report, chosen.audit.allow_duplicates_across_split)
    return 0


def split(
    folder: Folder,
    protocol: ProtocolName = "paper",
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the table; standard output by default.")
    ] = None,
    labels: Labels = None,
    label_pattern: LabelPattern = None,
    group_pattern: GroupPattern = None,
    skip_unreadable: Skip = False,
) -> int:
    """Write the split of a protocol: fold, part, image, sha256, label, group."""
    from leukbench.data.folder import load_folder
    from leukbench.files import write_text
    from leukbench.protocol import load_protocol
    from leukbench.trials.prepare import audited_split

    chosen = load_protocol(protocol)
    images = load_folder(
        folder,
        labels=labels,
        label_pattern=label_pattern,
        group_pattern=group_pattern,
        skip_unreadable=skip_unreadable,
    )
    table = audited_split(images, chosen)[1]
    text = table.to_csv(index=False, lineterminator="\n")
    if out is None:
        typer.echo(text, nl=False)
        return 0
    write_text(out, text)
    counts = table.groupby(["fold", "part"]).size().unstack(fill_value=0)
    typer.echo(counts.to_string())
    return 0
