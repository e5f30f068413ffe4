"""Scores by slice: by class, patient and partner from the records, by properties of the images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from leukbench.errors import DataError
from leukbench.report.formats import SYNTHETIC, escape_markdown, markdown_table, with_interval
from leukbench.report.results import Results, rows_of
from leukbench.robustness.folder import keep
from leukbench.robustness.properties import FILE, PROPERTIES, measured, stored_properties
from leukbench.runfolder import RunFolder
from leukbench.score.slices import LEAST_IMAGES, Slice, slice_scores

TABLE, PAGE = "slices.csv", "slices.md"
PATIENT, CLASS, PARTNER = "patient", "class", "partner in training"
_TERTILES = ("low", "middle", "high")
_MOST_COLUMNS = 8


def write_slices(folder: RunFolder, data: Path | None = None) -> list[Path]:
    """Score slices of a run and write table and Markdown to ``robustness/``; gives the paths.

    Properties of images are measured where their folder is given; those of an earlier call are used
    again where it is not.

    `DataError` where the run has no ranked model, or `data` does not hold its images.
    """
    files: dict[str, str] = {}
    properties = stored_properties(folder)
    if data is not None:
        properties = measured(folder, data)
        files[FILE] = properties.to_csv(index=False, lineterminator="\n")
    return keep(folder, "slices", files | slice_texts(folder, properties), {})


def slice_texts(folder: RunFolder, properties: pd.DataFrame | None) -> dict[str, str]:
    """The content of ``slices.csv`` and ``slices.md``."""
    results = Results(folder)
    slices = list(slices_of(results, properties))
    table = slice_scores(results.trials, slices, results.groups) if slices else pd.DataFrame()
    if table.empty:
        raise DataError(f"{folder.path} has no ranked model with predictions: finish one first.")
    return {
        TABLE: table.to_csv(index=False, lineterminator="\n"),
        PAGE: _markdown(results, table, properties is not None),
    }


def slices_of(results: Results, properties: pd.DataFrame | None) -> Iterator[Slice]:
    """Every slice that the records of a run and the properties of its images tell apart."""
    tested = results.predictions[["fold", "image", "y_true"]].drop_duplicates()
    for name in results.folder.classes:
        two = len(results.folder.classes) == 2
        first = name == results.folder.classes[0]
        yield _slice(tested[tested["y_true"] == name], CLASS, name, tested=first or not two)
    if results.folder.run.dataset.group_kind == "patient":
        patients = tested["image"].map(results.groups)
        for name, rows in tested.groupby(patients):
            if rows["image"].nunique() >= LEAST_IMAGES:
                yield _slice(rows, PATIENT, str(name), one_group=True)
    audit = results.folder.audit
    if audit is not None and audit.split:
        clean = {(fold.fold, image) for fold in audit.split for image in fold.clean}
        alone = [key in clean for key in zip(tested["fold"], tested["image"], strict=True)]
        partnered = ~np.array(alone, dtype=bool)
        if partnered.any() and not partnered.all():
            yield _slice(tested[partnered], PARTNER, "yes")
            yield _slice(tested[~partnered], PARTNER, "no", tested=False)
    if properties is not None:
        for factor in PROPERTIES:
            yield from _tertiles(tested, factor, properties.set_index("image")[factor])


def _slice(
    rows: pd.DataFrame, factor: str, name: str, words: str = "", *, tested: bool = True,
    one_group: bool = False,
) -> Slice:  # fmt: skip
    images = {int(str(fold)): frozenset(own) for fold, own in rows.groupby("fold")["image"]}
    return Slice(factor, name, images, words, tested, one_group)


def _tertiles(tested: pd.DataFrame, factor: str, values: pd.Series) -> Iterator[Slice]:
    """Thirds of the test images by one number; fewer where it has few values, none for one."""
    missing = set(tested["image"]) - set(values.index)
    if missing:
        raise DataError(f"{FILE} lacks {min(missing)}: run leukbench slices again with `data`.")
    own = tested["image"].map(values)
    distinct = values.loc[sorted(set(tested["image"]))].to_numpy()
    edges = np.quantile(distinct, (1 / 3, 2 / 3), method="lower")
    third = np.searchsorted(edges, own.to_numpy(), side="left")
    present = np.unique(third).tolist()
    if len(present) < 2:
        return
    for number in present:
        inside = own[third == number]
        words = f"{inside.min():g} to {inside.max():g}"
        tested_too = len(present) > 2 or number == present[0]
        yield _slice(tested[third == number], factor, _TERTILES[number], words, tested=tested_too)


def _markdown(results: Results, table: pd.DataFrame, with_properties: bool) -> str:
    folder = results.folder
    head = (
        f"# Scores by slice: {escape_markdown(folder.run.dataset.title or folder.run.dataset.name)}"
    )
    lines = [head, ""]
    if folder.synthetic:
        lines += [f"{SYNTHETIC}: rendered images; these numbers say nothing about real ones.", ""]
    lines += [
        "Accuracy with 95 % intervals, which count patients or duplicates as one where they are known. "
        "A star: the slice differs from the rest of the test images (t over groups, Holm over all "
        f"{int(table['p'].notna().sum())} tests at 0.05). Slices are looked at one by one: a factor that "
        "goes with another one, such as brightness with a class, shows what the other one does; "
        "`slices.csv` has the difference within classes too.",
        "",
    ]
    if not with_properties:
        lines += ["Brightness, sharpness, cells and size need the images: `--data`.", ""]
    for factor, rows in table.groupby("factor", sort=False):
        title = PROPERTIES[str(factor)].title if factor in PROPERTIES else str(factor)
        lines += [f"## {title[:1].upper()}{title[1:]}", "", _factor_table(results, rows)]
    return "\n".join(lines)


def _factor_table(results: Results, rows: pd.DataFrame) -> str:
    """Models by slices; where slices are many, only those that differ."""
    names = list(dict.fromkeys(rows["slice"]))
    order = [name for name in results.comparison["model"] if name in set(rows["model"])]
    if len(names) > _MOST_COLUMNS:
        rows = rows[rows["different"]]
        if rows.empty:
            return f"None of {len(names)} slices differs from the rest.\n"
        cells = [[results.titles[r["model"]], str(r["slice"]), _cell(r)] for r in rows_of(rows)]
        return markdown_table(["Model", "Slice", "Accuracy"], cells, "llr")
    first = rows.drop_duplicates("slice").set_index("slice")
    header = ["Model"]
    for name in names:
        words = first.loc[name, "range"]
        inside = f"{words}; " if words else ""
        header.append(f"{name} ({inside}{first.loc[name, 'images']} images)")
    by_cell = {(row["model"], row["slice"]): _cell(row) for row in rows_of(rows)}
    cells = [
        [results.titles[model], *(by_cell.get((model, name), "") for name in names)]
        for model in order
    ]
    return markdown_table(header, cells, "l" + "r" * len(names))


def _cell(row: dict[str, object]) -> str:
    value, low, high = (float(str(row[key])) for key in ("accuracy", "low", "high"))
    return with_interval(value, low, high) + (" ★" if row["different"] else "")
