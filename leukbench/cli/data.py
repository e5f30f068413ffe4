"""The verb ``data``: describe a folder, fetch a known dataset, write synthetic smears."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, cast

import typer

from leukbench.cli.numbers import number, whole
from leukbench.protocol import MOST_SEED

Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels", help="Table with the columns image, label and, optional, group, part."
    ),
]
LabelPattern = Annotated[
    str | None,
    typer.Option("--label-pattern", help="Regular expression with (?P<label>...) for file paths."),
]
GroupPattern = Annotated[
    str | None,
    typer.Option("--group-pattern", help="Regular expression with (?P<group>...) for file paths."),
]

app = typer.Typer(help="Describe, fetch or synthesize images.", no_args_is_help=True)


@app.command("info")
def info(
    folder: Annotated[Path, typer.Argument(help="Folder of images.")],
    labels: Labels = None,
    label_pattern: LabelPattern = None,
    group_pattern: GroupPattern = None,
    skip_unreadable: Annotated[bool, typer.Option("--skip-unreadable")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print how a folder of images is understood: classes, parts, patients, sizes, licence, citation."""
    from leukbench.data.catalog import get_entry
    from leukbench.data.folder import load_folder
    from leukbench.data.scan import scan
    from leukbench.errors import with_flags

    dataset = load_folder(
        folder,
        labels=labels,
        label_pattern=label_pattern,
        group_pattern=group_pattern,
        skip_unreadable=skip_unreadable,
    )
    entry = get_entry(dataset.catalog) if dataset.catalog else None
    sizes = Counter(f"{file.width}x{file.height}" for file in scan(dataset.root, dataset.paths))
    facts = {
        "name": dataset.name,
        "recognised": entry.title if entry else "no known dataset",
        "folder": str(dataset.root),
        "images": len(dataset),
        "classes": dataset.counts,
        "parts": Counter(record.part for record in dataset.records if record.part),
        "sizes": dict(sizes.most_common(12)),
        "different sizes": len(sizes),
        "groups": len(set(dataset.groups)) if dataset.has_groups else "unknown",
        "skipped": {image.path: image.reason for image in dataset.skipped},
        "notes": [with_flags(note) for note in dataset.notes],
        "fingerprint": dataset.fingerprint,
        "licence": entry.licence if entry else "unknown",
        "citation": entry.citation if entry else "unknown",
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
        elif isinstance(value, list):
            value = " ".join(value) or "none"
        typer.echo(f"{key:<16} {value}")
    return 0


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A name of `leukbench list datasets`.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to put it; the cache by default.")
    ] = None,
) -> int:
    """Download a known dataset (extra `leukbench[data]`)."""
    from leukbench.data.fetch import fetch_dataset

    typer.echo(str(fetch_dataset(name, out)))
    return 0


@app.command("synthesize")
def synthesize(
    folder: Annotated[Path, typer.Argument(help="Folder to write; one sub-folder a class.")],
    images: Annotated[int, whole("images", "Images a class.", 2)] = 60,
    patients: Annotated[int, whole("patients", "Patients a class.", 1)] = 8,
    size: Annotated[int, whole("size", "Side in pixels.", 32, 4096)] = 224,
    seed: Annotated[int, whole("seed", "Seed.", 0, MOST_SEED)] = 0,
    patient_effect: Annotated[
        float,
        number("patient_effect", "How much patients differ in stain and light.", 0),
    ] = 1.0,
    classes: Annotated[
        str,
        typer.Option("--classes", help="overlapping, or distinct: easy to tell apart by shape."),
    ] = "overlapping",
    copies: Annotated[
        int,
        whole("copies", "Planted copies of each kind, overlapping fields too.", 0),
    ] = 0,
    masks: Annotated[bool, typer.Option("--masks", help="Write masks of leukocytes too.")] = False,
) -> int:
    """Write SYNTHETIC smears as PNG files, with their patients and planted copies."""
    from leukbench.data.synthetic import ClassLook, CopyPlan, SyntheticConfig, write_dataset

    kinds = ("exact", "rotated", "mirrored", "recompressed", "cropped", "overlapping")
    config = SyntheticConfig(
        images_per_class=images,
        patients_per_class=patients,
        size=size,
        seed=seed,
        patient_effect=patient_effect,
        classes=cast(ClassLook, classes),
        copies=CopyPlan(**dict.fromkeys(kinds, copies)),
    )
    write_dataset(folder, config, masks=masks)
    typer.echo(f"SYNTHETIC smears are in {folder}")
    return 0
