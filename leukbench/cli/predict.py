"""The verb ``predict``: what a model that a run kept says of images. Not for diagnosis."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from leukbench.cli.numbers import whole


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder made with --save-models.")],
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    fold: Annotated[int | None, whole("fold", "Fold that it was trained on.", 0)] = None,
    seed: Annotated[int | None, whole("seed", "Seed of the training.", 0)] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Write a heat map of each image as PNG.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for heat maps and predictions.csv."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Give classes and probabilities of images by a model that a run kept. Not for diagnosis."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is talkative
    from leukbench.explain.heat_maps import NOTICE
    from leukbench.files import write_text
    from leukbench.predict import SavedModel, as_frame
    from leukbench.runfolder import RunFolder

    folder = RunFolder(run)
    saved = SavedModel(folder, model, fold=fold, seed=seed)
    predictions = saved.predict(images, explain=explain, out=out)
    if out is not None:
        write_text(out / "predictions.csv", as_frame(predictions).to_csv(index=False))
    trained = "SYNTHETIC images" if folder.synthetic else folder.run.dataset.name
    if as_json:
        facts = {
            "notice": NOTICE,
            "model": model,
            "fold": saved.record.fold,
            "seed": saved.record.seed,
            "trained_on": trained,
            "temperature": saved.temperature,
            "predictions": [one.as_json() for one in predictions],
        }
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return 0
    typer.echo(f"{NOTICE} {saved.record.title}, trained on {trained}, seed {saved.record.seed}")
    for one in predictions:
        shares = ", ".join(f"{name} {value:.1%}" for name, value in one.probabilities.items())
        note = f"; {one.note}" if one.note else ""
        typer.echo(f"{one.image}: {one.label} {one.probability:.1%} ({shares}){note}")
        if one.heat_map:
            typer.echo(f"  heat map {one.heat_map}")
    return 0
