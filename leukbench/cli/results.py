"""The verbs ``report`` and ``compare``: from stored predictions, without images or TensorFlow."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leukbench.cli.numbers import number
from leukbench.score import ALPHAS, MOST_COST

if TYPE_CHECKING:
    import pandas as pd

    from leukbench.runfolder import RunFolder
    from leukbench.score.comparisons import Comparison

RunArgument = Annotated[Path, typer.Argument(help="Run folder.")]


def report(
    run: Annotated[Path, typer.Argument(help="Run folder, or folder of a multiverse.")],
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Folder of images, for the figures that show some."),
    ] = None,
    without_images: Annotated[
        bool, typer.Option("--without-images", help="Leave every picture of a cell out.")
    ] = False,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser when it is made.")
    ] = False,
) -> int:
    """Make tables, figures and the page again from the stored predictions."""
    from leukbench.multiverse.folder import RECORD, MultiverseFolder
    from leukbench.report import write_report

    if (run / RECORD).is_file():
        from leukbench.multiverse.write import write_results

        written = write_results(MultiverseFolder(run))
    else:
        written = write_report(run, None if without_images else images)
    for path in written:
        typer.echo(str(path))
    if open_page:
        page = next(path for path in written if path.suffix == ".html")
        webbrowser.open(page.resolve().as_uri())
    return 0


def compare(
    run: RunArgument,
    other: Annotated[Path | None, typer.Argument(help="A second run folder.")] = None,
    alpha: Annotated[float, number("alpha", "Level of the tests.", *ALPHAS)] = 0.05,
    missed: Annotated[
        float, number("missed", "Cost of a malignant image called benign.", 0, MOST_COST)
    ] = 1.0,
    false_alarm: Annotated[
        float, number("false_alarm", "Cost of a benign image called malignant.", 0, MOST_COST)
    ] = 1.0,
    prevalence: Annotated[
        float | None,
        number("prevalence", "Share of malignant cases, 0 to 1.", 0, 1),
    ] = None,
    leakage: Annotated[
        bool,
        typer.Option("--leakage", help="What leakage adds: RUN beside OTHER, on another split."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Test the differences between models, or between two runs of one protocol, in pairs."""
    from leukbench.runfolder import RunFolder

    first = RunFolder(run)
    if leakage:
        return _leakage(first, other, alpha, as_json)
    comparison = _tested(first, None if other is None else RunFolder(other), alpha)
    frames = {
        "groups": comparison.groups,
        "pairs": comparison.pairs,
        "friedman": comparison.friedman,
        "ranks": comparison.ranks,
        "smallest_difference": comparison.smallest_difference,
    }
    if other is None:
        frames |= _one_run(first, comparison, missed, false_alarm, prevalence)
    if as_json:
        _print_json(frames)
        return 0
    _say_synthetic(first)
    _print_tests(comparison)
    costs = f"cost {missed:g} for a missed case, {false_alarm:g} for a false alarm"
    titles = {
        "dependence": "Do errors depend on the order of files? (permutation test)",
        "file_order": "Accuracy where runs of neighbouring files are one group",
        "leakage": "What a partner in training is worth, within classes",
        "calibration": "Calibration error beside that of a calibrated model",
        "benign_malignant": f"{first.benign} against the rest ({costs})",
    }
    for name, title in titles.items():
        _print(title, frames.get(name))
    return 0


def _leakage(first: RunFolder, other: Path | None, alpha: float, as_json: bool) -> int:
    """Print what leakage adds between two splits."""
    from leukbench.errors import UsageError
    from leukbench.report.between_splits import compare_splits
    from leukbench.runfolder import RunFolder
    from leukbench.score.split_pairs import PARTS

    if other is None:
        raise UsageError("`leakage` needs a second run, on another split of the same images.")
    found = compare_splits(first, RunFolder(other), alpha)
    if as_json:
        _print_json({"leakage_between_splits": found.table})
        return 0
    _say_synthetic(first)
    typer.echo(f"What leakage adds: accuracy in {first.path} less that in {other}, 0 to 1\n")
    for part, title in PARTS.items():
        rows = found.table[found.table["part"] == part].drop(columns=["part", "trained"])
        _print(title[0].upper() + title[1:], rows)
    for note in found.notes():
        typer.echo(note)
    return 0


def _say_synthetic(run: RunFolder) -> None:
    if run.synthetic:
        typer.echo("SYNTHETIC images: these numbers say nothing about real ones.\n")


def _print_json(frames: dict[str, pd.DataFrame]) -> None:
    parts = (f'"{name}": {frame.to_json(orient="records")}' for name, frame in frames.items())
    typer.echo("{" + ", ".join(parts) + "}")


def _one_run(
    folder: RunFolder,
    comparison: Comparison,
    missed: float,
    false_alarm: float,
    prevalence: float | None,
) -> dict[str, pd.DataFrame]:
    """What is said of one run besides its pairs."""
    from leukbench.data.dataset import natural_key
    from leukbench.report.results import Results
    from leukbench.score.benign_malignant import benign_malignant
    from leukbench.score.file_order import file_order
    from leukbench.score.summary import calibration_table

    results = Results(folder)
    frames = {"calibration": calibration_table(results.trials)}
    if order := file_order(results.trials, comparison, natural_key):
        frames |= {"dependence": order.dependence, "file_order": order.intervals}
    if not results.leakage.empty:
        frames["leakage"] = results.leakage
    if folder.benign is not None:
        frames["benign_malignant"] = benign_malignant(
            results.trials,
            results.groups,
            benign=folder.benign,
            missed=missed,
            false_alarm=false_alarm,
            prevalence=prevalence,
        )
        frames["decision_curve"] = results.decision_curve
    return frames


def _tested(first: RunFolder, second: RunFolder | None, alpha: float) -> Comparison:
    """Tests between the models of one run, or between two runs that may be compared."""
    from leukbench.errors import UsageError
    from leukbench.score.arrays import groups_from_split
    from leukbench.score.comparisons import compare as compare_trials

    groups = groups_from_split(first.split)
    if second is None:
        return compare_trials(first.trials(), groups=groups, alpha=alpha)
    if difference := first.run.differs_in(second.run):
        raise UsageError(
            f"{first.path} and {second.path} have different {difference}s, so their numbers cannot be "
            "compared: name two runs of one protocol, dataset and split."
        )
    labels = (first.path.name, second.path.name)
    return compare_trials(
        first.trials(), second.trials(), groups=groups, alpha=alpha, labels=labels
    )


def _print_tests(comparison: Comparison) -> None:
    _print(
        "Groups of equals (models with a letter in common cannot be told apart)", comparison.groups
    )
    columns = [
        "model_a", "model_b", "difference", "low", "high", "only_a", "only_b", "test", "p_holm",
        "different",
    ]  # fmt: skip
    _print(f"Pairs (Holm over all, alpha {comparison.alpha:g})", comparison.pairs[columns])
    if comparison.trained:
        typer.echo("These are verdicts on the trained models: one has fewer than three seeds.\n")
    _print("Friedman test over folds", comparison.friedman)
    _print("Mean ranks", comparison.ranks)
    _print(f"Smallest difference with power {comparison.power:.0%}", comparison.smallest_difference)


def _print(title: str, frame: pd.DataFrame | None) -> None:
    if frame is None or frame.empty:
        return
    typer.echo(title)
    typer.echo(frame.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    typer.echo("")
