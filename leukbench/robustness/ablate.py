"""What models score on views of the images: the same split, budget and seeds with something taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from leukbench.data.views import VIEWS
from leukbench.errors import DataError, UsageError, did_you_mean
from leukbench.protocol import View, with_keys
from leukbench.records import TrialRecord
from leukbench.report.formats import SYNTHETIC, escape_markdown, markdown_table, with_interval
from leukbench.report.results import Results, rows_of
from leukbench.robustness.folder import keep, place
from leukbench.runfolder import RunFolder
from leukbench.score import UNRANKED_FAMILIES
from leukbench.score.paired import holm
from leukbench.score.split_pairs import leakage_between
from leukbench.score.summary import summarise
from leukbench.trials.execute import execute
from leukbench.trials.local import SILENT, Reporter
from leukbench.trials.options import RunOptions
from leukbench.trials.prepare import Preparation, prepare

TABLE, PAGE, PICTURE = "ablate.csv", "ablate.md", "ablate.png"
RUNS = "views"
"""Folder of the run folders, one a view."""
WHOLE = "whole"
WORDS = {
    "cells": "leukocytes on black",
    "background": "leukocytes filled with the median colour of the rest",
    "silhouettes": "outlines of leukocytes alone",
    "shuffled": "64 patches in another order for each image",
    "grey": "grey values",
    "colour": "mean and deviation of each colour",
    "lowpass": "coarse structure",
    "highpass": "fine structure",
}
COLUMNS = (
    "model", "title", "family", "view", "images", "accuracy", "low", "high", "whole",
    "difference", "difference_low", "difference_high", "p", "p_holm", "trained", "most_frequent",
)  # fmt: skip


def write_ablation(
    folder: RunFolder,
    data: Path | None = None,
    *,
    models: Sequence[str] | None = None,
    views: Sequence[str] | None = None,
    jobs: int | None = None,
    reporter: Reporter = SILENT,
) -> list[Path]:
    """Train models of a run again on views of its images, and compare them with the whole images.

    Trials lie in ``robustness/views/<view>`` of the run, an ordinary run folder; finished ones are not
    run again.

    Parameters
    ----------
    data : Path, optional
        Folder of the images; the embedded synthetic smears by default.
    models, views : sequence of str, optional
        Ranked models of the run, and some of `leukbench.data.views.VIEWS`; all by default.

    Returns
    -------
    list of Path
        Table, Markdown and figure.

    Raises
    ------
    UsageError
        Where a name does not fit, the protocol has a view already or segments.
    DataError
        Where `data` are other images, or would be split or trained otherwise here.
    """
    records = _chosen(folder, models)
    for view in _possible(folder, views):
        execute(_prepared(folder, records, view, data, jobs), reporter, report=False)
    texts = ablation_texts(folder)
    return keep(folder, "ablate", {**texts, PICTURE: picture(folder)}, {})


def _chosen(folder: RunFolder, models: Sequence[str] | None) -> list[TrialRecord]:
    """Trials of the models that are trained again."""
    able = {
        record.model: None
        for record in folder.records
        if record.scored and record.family not in UNRANKED_FAMILIES
    }
    for name in models or ():
        if name not in able:
            raise UsageError(
                f"`models={name}` has no ranked trial in {folder.path}{did_you_mean(name, able)}: take "
                f"some of {', '.join(able) or 'another run'}."
            )
    chosen = set(models or able)
    if not chosen:
        raise DataError(f"{folder.path} has no ranked model with predictions: finish one first.")
    return [record for record in folder.records if record.model in chosen and record.scored]


def _possible(folder: RunFolder, views: Sequence[str] | None) -> list[str]:
    """Views that are another image than the one that models saw."""
    settings = folder.run.protocol.preprocessing
    if settings.view != WHOLE or settings.segmentation != "none":
        raise UsageError(
            f"{folder.path} is of {settings.view} images, segmentation {settings.segmentation}: name a "
            "run on whole images."
        )
    for name in views or ():
        if name not in VIEWS:
            raise UsageError(
                f"`views={name}` is unknown{did_you_mean(name, VIEWS)}: take some of "
                f"{', '.join(VIEWS)}."
            )
        if name == "grey" and settings.colour == "grey":
            raise UsageError(
                f"`views=grey` is what the models of {folder.path} saw already: leave it out."
            )
    return [
        name
        for name in get_args(View)
        if name in (views or VIEWS) and not (name == "grey" and settings.colour == "grey")
    ]


def _prepared(
    folder: RunFolder,
    records: Sequence[TrialRecord],
    view: str,
    data: Path | None,
    jobs: int | None,
) -> Preparation:
    """A run like this one but for the view; `DataError` where anything else would differ."""
    names = tuple(dict.fromkeys(record.model for record in records))
    protocol = with_keys(
        folder.run.protocol,
        {
            "name": f"{folder.run.protocol.name}-{view}",
            "preprocessing.view": view,
            "audit.probes": False,
            "models": names,
        },
        str(folder.path),
    )
    prepared = prepare(
        RunOptions(
            data=data, protocol=protocol, models=names, jobs=jobs,
            seeds=tuple(sorted({record.seed for record in records})),
            folds=tuple(sorted({record.fold for record in records})),
            out=place(folder) / RUNS / view, command="leukbench ablate",
        )
    )  # fmt: skip
    if prepared.source.fingerprint != folder.run.dataset_fingerprint:
        raise DataError(
            f"`data={data}` holds other images, labels or patients than {folder.path} was made of: name "
            "the folder that run-all was given."
        )
    planned = {(p.model, p.fold, p.seed): p.identity for p in prepared.plans}
    wanted = {(r.model, r.fold, r.seed): r for r in records}
    for key, record in wanted.items():
        if odd := _difference(record.identity, planned.get(key, {})):
            raise DataError(
                f"{record.name} of {folder.path} was trained with another {odd} than it would be here: "
                "run run-all again, or leave the model out."
            )
    prepared.plans[:] = [p for p in prepared.plans if (p.model, p.fold, p.seed) in wanted]
    return prepared


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What besides the view tells two identities of a trial apart; empty for nothing."""
    for key in sorted({*before, *now} - {"preprocessing"}):
        if before.get(key) != now.get(key):
            return key
    return ""


def view_folders(folder: RunFolder) -> dict[str, RunFolder]:
    """The run folder of each view that was tried, in the order of `leukbench.protocol.View`."""
    root = place(folder) / RUNS
    return {v: RunFolder(root / v) for v in get_args(View) if (root / v / "run.json").is_file()}


def ablation_texts(folder: RunFolder) -> dict[str, str]:
    """The content of ``ablate.csv`` and ``ablate.md``."""
    table = ablation(folder)
    return {TABLE: table.to_csv(index=False, lineterminator="\n"), PAGE: _markdown(folder, table)}


def ablation(folder: RunFolder) -> pd.DataFrame:
    """One row a model and view: `COLUMNS`; ``difference`` is whole less view, on the same images.

    Intervals and p are those of `leukbench.score.split_pairs.leakage_between`; ``p_holm`` is Holm's
    over the table. ``most_frequent`` is the share of the most frequent class of the test images.
    """
    results = Results(folder)
    parts = []
    for view, other in view_folders(folder).items():
        if why := _strange(folder, other, view):
            raise DataError(
                f"{other.path} is no view of {folder.path}, its {why} is another: remove it."
            )
        trials = other.trials()
        slots = {(trial.model, trial.fold, trial.seed) for trial in trials}
        same = [t for t in results.trials if (t.model, t.fold, t.seed) in slots]
        pairs = leakage_between(same, trials, ({}, {}), results.groups)
        pairs = pairs[pairs["part"] == "all"].rename(
            columns={"accuracy": "whole", "accuracy_other": "accuracy", "low": "difference_low",
                     "high": "difference_high"}
        )  # fmt: skip
        own = summarise(trials, results.groups, metrics=("accuracy",))
        parts.append(pairs.merge(own[["model", "low", "high"]], on="model").assign(view=view))
    if not parts:
        raise DataError(f"{place(folder) / RUNS} holds no view: run leukbench ablate again.")
    table = pd.concat(parts, ignore_index=True)
    tested = results.predictions.drop_duplicates("image")["y_true"]
    table = table.assign(
        title=table["model"].map(results.titles),
        p_holm=holm(table["p"].to_numpy(dtype=float)),
        most_frequent=float(tested.value_counts(normalize=True).iloc[0]),
    )
    return table[list(COLUMNS)]


def _strange(folder: RunFolder, other: RunFolder, view: str) -> str:
    own, others = folder.run, other.run
    expected = with_keys(own.protocol, {"preprocessing.view": view}, str(folder.path)).comparable()
    found = others.protocol.comparable()
    keys = [key for key in expected if key != "audit" and expected[key] != found.get(key)]
    if keys:
        return keys[0]
    if own.dataset_fingerprint != others.dataset_fingerprint:
        return "dataset"
    return "split" if own.split_sha256 != others.split_sha256 else ""


def _markdown(folder: RunFolder, table: pd.DataFrame) -> str:
    about = folder.run.dataset
    lines = [f"# Accuracy on views of the images: {escape_markdown(about.title or about.name)}", ""]
    if folder.synthetic:
        lines += [f"{SYNTHETIC}: rendered images; these numbers say nothing about real ones.", ""]
    frequent = 100 * float(table["most_frequent"].iloc[0])
    lines += [
        "Each model is trained and tested again on every view, with the same split, budget and seeds. "
        f"Always naming the most frequent class gets {frequent:.1f} % of the test images. The drop is "
        "whole images less view, on the same images, with its 95 % interval; a star: it differs from 0 "
        f"(Holm over all {len(table)} tests at 0.05).",
        "",
        markdown_table(
            ["Model", "View", "Accuracy", "Whole images", "Drop"],
            [_cells(row) for row in rows_of(table)],
            "llrrr",
        ),
        *[f"- {view}: {WORDS[view]}." for view in dict.fromkeys(table["view"])],
        "",
        "A model that scores on a view can use what the view holds; it need not use it on whole images. "
        "Leukocytes are found by thresholds in HSV: what they miss stays in the background. "
        "The background keeps the outlines of leukocytes, whose worth silhouettes show. "
        "Without a drop, nothing is shown to be needed that the view lacks.",
        "",
    ]
    if table["trained"].any():
        lines += ["Fewer than three seeds: these are verdicts on the trained models.", ""]
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> list[str]:
    accuracy, drop = (
        with_interval(*(float(row[key]) for key in keys))
        for keys in (
            ("accuracy", "low", "high"),
            ("difference", "difference_low", "difference_high"),
        )
    )
    star = " ★" if row["p_holm"] < 0.05 else ""
    return [row["title"], row["view"], accuracy, f"{100 * row['whole']:.2f} %", drop + star]


def picture(folder: RunFolder) -> bytes:
    """The content of ``ablate.png``: accuracy by view, one colour a model."""
    from leukbench.report.figures.style import CLASS_COLOURS, INK, finish, house_style, new_figure
    from leukbench.report.figures.style import rendered as png

    table = ablation(folder)
    views, models = [WHOLE, *dict.fromkeys(table["view"])], list(dict.fromkeys(table["model"]))
    with house_style():
        figure = new_figure(7.6, 1.8 + 0.12 * len(views) * (2 + len(models)))
        ax = figure.subplots()
        for number, model in enumerate(models):
            rows = table[table["model"] == model]
            colour = CLASS_COLOURS[number % len(CLASS_COLOURS)]
            shift = 0.7 * ((number + 0.5) / len(models) - 0.5)
            ax.plot(100 * rows["whole"].iloc[0], shift, "D", color=colour, markersize=5)
            at = [views.index(view) + shift for view in rows["view"]]
            ax.hlines(at, 100 * rows["low"], 100 * rows["high"], color=colour, linewidth=1.2)
            ax.plot(100 * rows["accuracy"], at, "o", color=colour, markersize=5,
                    label=rows["title"].iloc[0])  # fmt: skip
        ax.axvline(100 * table["most_frequent"].iloc[0], color=INK, linewidth=1, linestyle=":",
                   label="most frequent class")  # fmt: skip
        ax.set_yticks(range(len(views)), views)
        ax.invert_yaxis()
        ax.set_xlabel("accuracy, percent")
        figure.legend(loc="outside lower center", ncols=3)
        title = f"Accuracy on views: {folder.run.dataset.title or folder.run.dataset.name}"
        return png(finish(figure, title, synthetic=folder.synthetic), "png")
