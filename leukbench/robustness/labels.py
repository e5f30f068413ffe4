"""Candidates of label errors: images that many models, not trained on them, take for another class."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from leukbench.data.splits import SEEN
from leukbench.errors import DataError, UsageError, did_you_mean
from leukbench.files import write_text
from leukbench.report.formats import (
    SYNTHETIC,
    escape_markdown,
    markdown_table,
    number,
    percent,
)
from leukbench.report.results import Results, rows_of
from leukbench.robustness.folder import keep, place
from leukbench.robustness.images import RunImages
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import FloatArray, IntArray
from leukbench.score.label_errors import LabelErrors, label_errors
from leukbench.score.members import ModelTrials

TABLE, PAGE, PICTURES = "labels.csv", "labels.md", "labels.html"
_COLUMNS = (
    "image", "label", "suggested", "models_agreeing", "models", "agreeing", "margin",
    "self_confidence", "partner_in_training",
)  # fmt: skip
_SHOWN = 50
_SIDE = 180


@dataclass(frozen=True)
class Judged:
    """What each model says of the labels of the images that all of them tested."""

    results: Results
    images: list[str]
    given: IntArray
    by_model: dict[str, LabelErrors]

    @property
    def majority(self) -> int:
        """More than half of the models."""
        return len(self.by_model) // 2 + 1


def write_labels(
    folder: RunFolder,
    data: Path | None = None,
    *,
    models: Sequence[str] | None = None,
    agree: int | None = None,
) -> list[Path]:
    """List candidates of label errors in ``robustness/``; a page of the images where they are at hand.

    Parameters
    ----------
    data : Path, optional
        Folder of the images, for the page. It shows cells: it is no part of what may be committed.
    models : sequence of str, optional
        Ranked models of the run; all by default.
    agree : int, optional
        How many models must call an image another class; more than half by default.

    `DataError` where there are no probabilities of held-out images. `UsageError` where a model or
    `agree` does not fit.
    """
    settings = {"models": ",".join(models or ()), "agree": str(agree or "")}
    judged = judge(folder, models)
    table = candidates(judged, agree)
    written = keep(folder, "labels", label_texts(folder, settings), settings)
    pictures = place(folder) / PICTURES
    pictures.unlink(missing_ok=True)
    if data is not None:
        write_text(pictures, _pictures(judged, table, RunImages(folder, data)))
        written.append(pictures)
    return written


def label_texts(folder: RunFolder, settings: dict[str, str]) -> dict[str, str]:
    """The content of ``labels.csv`` and ``labels.md``."""
    judged = judge(folder, [name for name in settings["models"].split(",") if name] or None)
    agree = int(settings["agree"]) if settings["agree"] else None
    table = candidates(judged, agree)
    return {
        TABLE: table.to_csv(index=False, lineterminator="\n"),
        PAGE: _markdown(judged, table, agree or judged.majority),
    }


def judge(folder: RunFolder, models: Sequence[str] | None = None) -> Judged:
    """Average each model's probabilities over its trials, and look for confident disagreement."""
    results = Results(folder)
    able = {
        name: member
        for name, member in results.members.items()
        if member.ranked and all(m.arrays.probabilities is not None for m in member.members)
    }
    for name in models or ():
        if name not in able:
            raise UsageError(
                f"`models={name}` has no probabilities in {folder.path}{did_you_mean(name, able)}: "
                f"take some of {', '.join(able) or 'another run'}."
            )
    chosen = {name: able[name] for name in models or able}
    if not chosen:
        raise DataError(f"{folder.path} has no ranked model with probabilities: finish one first.")
    _refuse_in_sample(folder, chosen)
    shared = set.intersection(
        *({i for m in one.members for i in m.arrays.images} for one in chosen.values())
    )
    images = sorted(map(str, shared))
    if not images:
        raise DataError(f"The models of {folder.path} share no test image: name fewer `models`.")
    labels = results.predictions.drop_duplicates("image").set_index("image")["y_true"]
    codes = {name: code for code, name in enumerate(folder.classes)}
    given = np.array([codes[labels[image]] for image in images], dtype=np.int64)
    return Judged(
        results,
        images,
        given,
        {name: label_errors(_averaged(one, images), given) for name, one in chosen.items()},
    )


def _refuse_in_sample(folder: RunFolder, models: dict[str, ModelTrials]) -> None:
    """Raise a DataError where a probability is of an image that its model was fitted on."""
    seen = folder.split[folder.split["part"].isin(SEEN)]
    by_fold = {int(str(fold)): set(rows["image"]) for fold, rows in seen.groupby("fold")}
    for model in models.values():
        for member in model.members:
            known = by_fold.get(member.fold, set()) & set(member.arrays.images.tolist())
            if known:
                raise DataError(
                    f"{member.name} was trained on {min(known)} and predicts it: probabilities of "
                    "training images repeat their labels; take a run that keeps test images apart."
                )


def _averaged(model: ModelTrials, images: Sequence[str]) -> FloatArray:
    """Probabilities of each image, mean over the trials that tested it."""
    place_of = {image: row for row, image in enumerate(images)}
    total = np.zeros((len(images), len(model.classes)))
    times = np.zeros(len(images))
    for member in model.members:
        keep_at = np.array([place_of.get(str(i), -1) for i in member.arrays.images])
        rows = keep_at[keep_at >= 0]
        total[rows] += member.arrays.distribution[keep_at >= 0]
        times[rows] += 1
    mean: FloatArray = total / times[:, None]
    return mean


def candidates(judged: Judged, agree: int | None = None) -> pd.DataFrame:
    """Return the candidates, most agreement first, then the lowest mean margin.

    Columns ``image``, ``label``, ``suggested`` (what most agreeing models say; of equal numbers, the
    class that comes first), ``models_agreeing``, ``models``, ``agreeing`` (names), ``margin`` and
    ``self_confidence`` (means over all models), ``partner_in_training`` (yes where any fold's training
    part holds a duplicate or overlap, whose label the models know; empty without an audit).
    """
    least = judged.majority if agree is None else agree
    if not 1 <= least <= len(judged.by_model):
        raise UsageError(
            f"`agree={least}` does not fit: take 1 to {len(judged.by_model)}, the models that there are."
        )
    found = list(judged.by_model.values())
    flags = np.array([one.flagged for one in found])
    margin = np.mean([one.margin for one in found], axis=0)
    confidence = np.mean([one.self_confidence for one in found], axis=0)
    number_of = flags.sum(axis=0)
    order = np.lexsort((margin, -number_of))
    partners, classes = _partners(judged.results), judged.results.folder.classes
    rows = []
    for at in order[number_of[order] >= least]:
        votes = np.bincount(
            [int(one.suggested[at]) for one in found if one.flagged[at]], minlength=len(classes)
        )
        rows.append(
            {
                "image": judged.images[at],
                "label": classes[judged.given[at]],
                "suggested": classes[int(votes.argmax())],
                "models_agreeing": int(number_of[at]),
                "models": len(found),
                "agreeing": " ".join(n for n, o in judged.by_model.items() if o.flagged[at]),
                "margin": float(margin[at]),
                "self_confidence": float(confidence[at]),
                "partner_in_training": ""
                if partners is None
                else ("yes" if judged.images[at] in partners else "no"),
            }
        )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _partners(results: Results) -> set[str] | None:
    """Test images that have a partner in the training part of a fold; None without an audit."""
    audit = results.folder.audit
    if audit is None or not audit.split:
        return None
    split = results.folder.split
    tested = split[split["part"] == "test"].groupby("fold")["image"].agg(set)
    return {image for fold in audit.split for image in tested[fold.fold] - set(fold.clean)}


def _markdown(judged: Judged, table: pd.DataFrame, agree: int) -> str:
    folder, titles = judged.results.folder, judged.results.titles
    images = folder.split["image"].nunique()
    about = folder.run.dataset
    lines = [f"# Candidates of label errors: {escape_markdown(about.title or about.name)}", ""]
    if folder.synthetic:
        lines += [f"{SYNTHETIC}: rendered images; these numbers say nothing about real ones.", ""]
    lines += [
        f"{len(table)} of {len(judged.images)} test images are called another class, confidently, by at "
        f"least {agree} of {len(judged.by_model)} models that were not trained on them (confident "
        "learning, Northcutt et al. 2021, doi:10.1613/jair.1.12125). A candidate is no error: it may be "
        "a hard cell, and only someone who reads smears can tell.",
        "",
        *_blind_spots(judged, images),
        "",
        markdown_table(
            ["Model", "Candidates", "Estimated share of wrong labels"],
            [
                [titles[name], str(int(one.flagged.sum())), percent(one.noise)]
                for name, one in judged.by_model.items()
            ],
            "lrr",
        ),
        markdown_table(
            ["Image", "Label", "Suggested", "Models that agree", "Margin", "Partner in training"],
            [_cells(row) for row in rows_of(table.head(_SHOWN))],
            "lllrrl",
        ),
    ]
    if len(table) > _SHOWN:
        lines += [f"The first {_SHOWN} are shown; `{TABLE}` has all {len(table)}.", ""]
    return "\n".join(lines)


def _blind_spots(judged: Judged, images: int) -> list[str]:
    """What the list could not have found."""
    counts = np.bincount(judged.given, minlength=len(judged.results.folder.classes))
    partners = _partners(judged.results)
    known = (
        "which images have such a partner is unknown without an audit"
        if partners is None
        else f"{len(partners & set(judged.images))} of the test images have such a partner"
    )
    lines = [
        "What this list could not have found:",
        "",
        f"- errors among {images - len(judged.images)} of {images} images, which not all of these models "
        "tested;",
        "- errors that are repeated: where many like images bear the same wrong label, models learn it;",
        "- errors of an image whose duplicate or overlap is in training with the same wrong label: "
        f"{known};",
        "- errors that models miss: one that is often wrong or unsure shows few, and others by mistake.",
    ]
    if (counts == 0).any():
        names = np.array(judged.results.folder.classes)[counts == 0]
        lines.append(f"- errors of label {', '.join(names)}, which no test image bears.")
    return [*lines, ""]


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["image"], row["label"], row["suggested"],
        f"{row['models_agreeing']} of {row['models']}", number(row["margin"]),
        row["partner_in_training"],
    ]  # fmt: skip


def _pictures(judged: Judged, table: pd.DataFrame, images: RunImages) -> str:
    """A page of the candidates with their pictures, which asks nothing of any host."""
    from PIL import Image

    from leukbench.report.images import jpeg_uri

    folder = judged.results.folder
    title = f"Candidates of label errors: {folder.run.dataset.title or folder.run.dataset.name}"
    title = f"{SYNTHETIC}. {title}" if folder.synthetic else title
    figures = []
    for row in rows_of(table):
        picture = images.read(row["image"])
        scale = _SIDE / max(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        source = jpeg_uri(Image.fromarray(np.ascontiguousarray(small[:, :, ::-1])))
        name, *cells = (html.escape(cell) for cell in _cells(row))
        words = f"{name}<br>label {cells[0]}, suggested {cells[1]}<br>{cells[2]} models"
        figures.append(
            f'<figure><img alt="{name}" src="{source}"><figcaption>{words}</figcaption></figure>'
        )
    style = "body{font-family:sans-serif}figure{display:inline-block;width:15em;vertical-align:top}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{style}</style><h1>{html.escape(title)}</h1>\n" + "\n".join(figures) + "</html>\n"
    )
