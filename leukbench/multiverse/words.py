"""What a multiverse says in words and tables: the content of ``multiverse.md``."""

from __future__ import annotations

from leukbench.multiverse.folder import MultiverseFolder
from leukbench.multiverse.tables import MEAN, Results
from leukbench.report.formats import (
    MISSING,
    SYNTHETIC,
    escape_markdown,
    interval,
    markdown_table,
    percent,
    with_interval,
)

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
        *(f"{key}: {', '.join(values)}." for key, values in results.varied.items()),
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


def markdown_of(results: Results) -> str:
    """The content of ``multiverse.md``."""
    header, rows = universe_rows(results)
    align = "l" * len(results.varied) + "r" * len(results.models)
    lines = [f"# {escape_markdown(heading(results.folder))}", ""]
    for sentence in (*opening(results), *reached(results), *faults(results)):
        lines += [escape_markdown(sentence), ""]
    lines += [
        "![Specification curve](specification_curve.png)", "", "## Universes", "",
        "Accuracy, mean over seeds, with 95 % interval.", "", markdown_table(header, rows, align),
        SOURCES,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
