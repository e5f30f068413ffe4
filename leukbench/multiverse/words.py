"""What a multiverse says in words and tables: the sections of its page."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leukbench.multiverse.folder import MultiverseFolder
from leukbench.multiverse.statistics import (
    class_recall,
    pairs,
    ranking,
    recalls,
    spread,
    variance,
)
from leukbench.multiverse.tables import MEAN, Results
from leukbench.report.formats import (
    MISSING,
    SYNTHETIC,
    interval,
    percent,
    with_interval,
)
from leukbench.report.sections import Section

_SMALL = 0.01
"""Shares of the variance below it are not shown in the text."""

SOURCES = (
    "A multiverse analysis runs every reading of an analysis that leaves choices open (Steegen and "
    "others 2016, doi:10.1177/1745691616658637); a specification curve shows them in order (Simonsohn "
    "and others 2020, doi:10.1038/s41562-020-0912-z)."
)


def heading(folder: MultiverseFolder) -> str:
    """Title of a multiverse."""
    definition = folder.defined.definition
    return definition.title or definition.name


def opening(results: Results) -> list[str]:
    """What was varied and run, in sentences."""
    folder, definition = results.folder, results.folder.defined.definition
    datasets = {one.title for one in folder.record.datasets.values()}
    drawn = f", drawn with seed {definition.sample_seed}" if definition.sample else ""
    sentences = [
        " ".join(definition.description.split()),
        f"{len(folder.universes)} universes of {definition.combinations} combinations{drawn}; "
        f"{len(results.models)} models, {len(definition.seeds)} seeds; "
        f"{len(folder.record.trials)} different trials. Base protocol: {folder.record.base.name}. "
        f"Images: {'; '.join(sorted(datasets))}.",
        "Varied: "
        + "; ".join(f"{key} ({', '.join(values)})" for key, values in results.varied.items())
        + ".",
    ]
    if folder.synthetic:
        sentences.insert(
            0, f"{SYNTHETIC}: rendered images; these numbers say nothing of real ones."
        )
    return [one for one in sentences if one]


def faults(results: Results) -> list[str]:
    """What failed, in sentences."""
    said = [
        f"The universe {universe.name} could not be run: {stored.fault}"
        for universe, stored in results.folder.universes
        if stored.fault
    ]
    for trial in results.folder.record.trials.values():
        if trial.status != "ok":
            why = f": {trial.reason}" if trial.reason else ""
            said.append(
                f"A trial of {trial.model} (fold {trial.fold}, seed {trial.seed}) is "
                f"{trial.status}{why}."
            )
    return said


def reached(results: Results) -> list[str]:
    """How many universes and trials reach the published value, in sentences."""
    target = results.target
    if target is None:
        return []
    means = results.rows_of(target.count.model, mean=True)["accuracy"]
    seeds = results.rows_of(target.count.model, mean=False)["accuracy"]
    title = results.titles[target.count.model]
    low, high = target.low, target.high
    return [
        f"Published ({target.count.source}): {percent(target.value)}, {target.count.correct} of "
        f"{target.count.total}, Wilson {interval(low, high)}. {title} reaches the lower end of that "
        f"interval in {int((means >= low).sum())} of {len(means)} universes (mean over seeds) and in "
        f"{int((seeds >= low).sum())} of {len(seeds)} single trainings in universes; its highest mean is "
        f"{percent(means.max())}, its highest single training {percent(seeds.max())}."
    ]


def universe_rows(results: Results) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of universes, best of the main model first."""
    rows = results.universes[results.universes["seed"] == MEAN]
    cells = {
        (row["universe"], row["model"]): with_interval(
            row["accuracy"], row["accuracy_low"], row["accuracy_high"]
        )
        for row in rows.to_dict("records")
    }
    order = results.means[results.main].sort_values(ascending=False, kind="stable").index
    listed = results.universes.drop_duplicates("universe").set_index("universe")
    choices = listed[list(results.varied)].astype(str)
    header = [*results.varied, *(results.titles[model] for model in results.models)]
    return header, [
        [*choices.loc[name], *(cells.get((name, model), MISSING) for model in results.models)]
        for name in order
    ]


def summary_lines(results: Results) -> list[str]:
    """Lowest, middle and highest universe of each model, for the command line."""
    lines = [f"{SYNTHETIC}: rendered images."] if results.folder.synthetic else []
    width = max(map(len, results.titles.values()))
    lines.append(f"{'':<{width}}   lowest   median  highest  universes")
    for model, title in results.titles.items():
        values = results.rows_of(model, mean=True)["accuracy"]
        cells = [values.min(), values.median(), values.max()]
        numbers = "".join(f"{percent(one, 1):>9}" for one in cells)
        lines.append(f"{title:<{width}}{numbers}  {len(values)}")
    return [*lines, *reached(results)]


def spread_section(results: Results) -> Section:
    """How far each model's accuracy moves over universes, seeds and test images."""
    table = spread(results)
    return Section(
        title="Spread over universes, seeds and test images",
        sentences=[
            "Standard deviations in percentage points: of the means over seeds between universes; of "
            "single trainings within a universe; and of an accuracy on a test part of that size, with "
            "images taken as independent (a lower bound where patients have several)."
        ],
        header=[
            "model",
            "lowest",
            "median",
            "highest",
            "SD universes",
            "SD seeds",
            "SD test images",
        ],
        rows=[
            [
                str(row["title"]),
                *(percent(row[key]) for key in ("lowest", "median", "highest")),
                *(_points(row[key]) for key in ("universes_sd", "seeds_sd", "images_sd")),
            ]
            for row in table.to_dict("records")
        ],
    )


def _points(value: float) -> str:
    return MISSING if pd.isna(value) else f"{100 * value:.2f}"


def variance_section(results: Results) -> Section:
    """Which choice moves accuracy."""
    table = variance(results)
    if table.empty:
        return Section(
            title="Where the variance comes from",
            sentences=["Nothing is divided: fewer than two values of some choice were scored."],
        )
    shown = table.sort_values(["of", "share"], ascending=[True, False], kind="stable")
    small = shown["share"] < _SMALL
    sentences = [
        "Type II sums of squares of the accuracy of single trainings. A seed's share is what differs "
        f"within a universe. {int(small.sum())} sources with less than {percent(_SMALL, 0)} are left "
        "out here and stand in variance.csv."
    ]
    if len(results.folder.universes) < results.folder.defined.definition.combinations:
        sentences.append("The universes are a sample: interactions of choices are not separated.")
    return Section(
        title="Where the variance comes from",
        sentences=sentences,
        header=["of", "source", "degrees of freedom", "share"],
        rows=[
            [str(row["of"]), str(row["source"]), str(row["df"]), percent(row["share"], 1)]
            for row in shown[~small].to_dict("records")
        ],
        text_columns=2,
    )


def pairs_section(results: Results) -> Section:
    """Which model wins, and whether the order holds."""
    table, order = pairs(results), ranking(results)
    if table.empty:
        return Section(title="Which model wins", sentences=["There is one model."])
    tau = MISSING if np.isnan(order.tau) else f"{order.tau:.2f}"
    best = "; ".join(f"{results.titles[model]} in {count}" for model, count in order.best.items())
    return Section(
        title="Which model wins",
        sentences=[
            f"Best of all models (ties count for each): {best}. Kendall's tau-b between the rankings "
            f"of two universes is {tau} on average (1: the same order; {order.universes} universes)."
        ],
        header=["model", "against", "wins", "ties", "losses", "mean difference, points"],
        rows=[
            [
                results.titles[row["model"]], results.titles[row["other"]],
                str(row["wins"]), str(row["ties"]), str(row["losses"]),
                MISSING if pd.isna(row["difference"]) else f"{100 * row['difference']:+.2f}",
            ]
            for row in table.to_dict("records")
        ],
        text_columns=2,
    )  # fmt: skip


def recall_section(results: Results) -> Section:
    """Which classes the main model finds, beside the published pattern."""
    table = class_recall(results)
    title = results.titles[results.main]
    sentences = [
        f"Recall of each class by {title}, means over seeds, in {len(recalls(results))} universes."
    ]
    target = results.target
    if target and target.count.recall and len(table):
        names, values = zip(*sorted(target.count.recall.items()), strict=True)
        frame = recalls(results)
        if set(names) <= set(frame.columns):
            own = frame[list(names)]
            low, high = names[int(np.argmin(values))], names[int(np.argmax(values))]
            both = (own.idxmin(axis=1) == low) & (own.idxmax(axis=1) == high)
            sentences.append(
                f"Published: {low} has the lowest recall, {high} the highest. {int(both.sum())} of "
                f"{len(own)} universes show the same two."
            )
    return Section(
        title="Recall of each class",
        sentences=sentences,
        header=[
            "class", "lowest", "median", "highest", "lowest class in", "highest class in",
            "published", "universes that reach it",
        ],
        rows=[
            [
                str(row["class"]),
                *(percent(row[key]) for key in ("lowest", "median", "highest")),
                str(row["is_lowest"]),
                str(row["is_highest"]),
                percent(row["published"]),
                MISSING if pd.isna(row["reached"]) else str(row["reached"]),
            ]
            for row in table.to_dict("records")
        ],
    )  # fmt: skip


def sections_of(results: Results) -> list[Section]:
    """The content of ``multiverse.md`` and ``multiverse.html``."""
    header, rows = universe_rows(results)
    return [
        Section(
            title="",
            sentences=[*opening(results), *reached(results), *faults(results)],
            picture="specification_curve",
            caption="Specification curve: every universe in rising order, and below it its choices.",
        ),
        spread_section(results),
        variance_section(results),
        pairs_section(results),
        recall_section(results),
        Section(
            title="Universes",
            sentences=["Accuracy, mean over seeds, with 95 % interval."],
            header=header,
            rows=rows,
            text_columns=len(results.varied),
        ),
        Section(title="Sources", sentences=[SOURCES]),
    ]
