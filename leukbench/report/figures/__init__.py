"""Figures of a run, from its stored predictions and histories alone; SVG and PNG.

Pictures of cells need the folder of images, and are left out without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from matplotlib.figure import Figure

from leukbench.errors import UsageError, did_you_mean
from leukbench.files import write_bytes, write_text
from leukbench.report.explanations import heat_maps, importances
from leukbench.report.figures import (
    architecture,
    classes,
    data,
    explanations,
    pictures,
    probabilities,
    ranking,
    training,
)
from leukbench.report.figures.style import house_style, rendered
from leukbench.report.results import Results
from leukbench.runfolder import RunFolder

__all__ = [
    "FIGURES",
    "FigureSpec",
    "draw",
    "figure_names",
    "hardest_csv",
    "possible",
    "write_figures",
]

Drawing = Callable[..., Figure]


@dataclass(frozen=True)
class FigureSpec:
    """A figure by name.

    Attributes
    ----------
    title : str
        For headings.
    drawing : callable
        Takes `Results` and, where `images` is not ``"none"``, the folder of images.
    possible : callable
        Whether a run has what the figure needs.
    images : {"none", "optional", "required"}
        Whether it shows pictures.
    caption : str
        What is seen, for the page and for those who do not see it.
    """

    title: str
    drawing: Drawing
    caption: str
    possible: Callable[[Results], bool] = lambda results: bool(results.trials)
    images: str = "none"


def _has_split(results: Results) -> bool:
    return not results.folder.split.empty


FIGURES = MappingProxyType(
    {
        "comparison": FigureSpec(
            "Accuracy of every model",
            ranking.comparison,
            "One row a model in the order of the table: accuracy with its 95 % interval; a star is a "
            "value published for this data set, a hollow diamond one for another. Rows below the "
            "dotted line are not ranked.",
        ),
        "critical_difference": FigureSpec(
            "Critical differences",
            ranking.critical_difference,
            "Average ranks of the models over the folds; models under one bar do not differ by "
            "Nemenyi's test. Folds share training images, so the paired tests decide, not this.",
            ranking.has_ranks,
        ),
        "confusion": FigureSpec(
            "Confusion matrices",
            classes.confusion,
            "One matrix a model: rows are true, columns predicted classes; percent of the row, "
            "and images in brackets. The numbers stand in each model's section.",
        ),
        "per_class": FigureSpec(
            "Sensitivity and specificity",
            classes.per_class,
            "Sensitivity and specificity of each class against the rest, one row a model.",
        ),
        "roc": FigureSpec(
            "ROC curves",
            probabilities.roc,
            "One panel a model: true against false positive rate, mean over classes; the band spans "
            "all trials, the dotted lines the worst and the best of them. Controls and probes are "
            "not shown.",
            probabilities.has_probabilities,
        ),
        "precision_recall": FigureSpec(
            "Precision against recall",
            probabilities.precision_recall,
            "One panel a model: precision against recall, mean over classes; the band spans all "
            "trials, the dotted lines the worst and the best of them. Controls and probes are not "
            "shown.",
            probabilities.has_probabilities,
        ),
        "calibration": FigureSpec(
            "Calibration",
            probabilities.calibration,
            "One panel a model: share of right predictions against the stated probability. Points "
            "below the diagonal are overconfident. Controls and probes are not shown.",
            probabilities.has_probabilities,
        ),
        "importance": FigureSpec(
            "Permutation importance",
            explanations.importance,
            "One panel a model: points of accuracy that are lost when a part of the features is "
            "exchanged between test images; dark bars are whole features. Where parts tell the same, "
            "each looks unimportant alone. The numbers stand in each model's section.",
            lambda results: bool(importances(results)),
        ),
        "learning_curves": FigureSpec(
            "Learning curves",
            training.learning_curves,
            "Accuracy and loss of each network after every epoch, on training images and on the "
            "monitored part; thin lines are trials, the bold one their mean.",
            training.has_histories,
        ),
        "cost": FigureSpec(
            "Accuracy against cost",
            training.cost,
            "Accuracy against training time, number of parameters and peak memory. No other model is "
            "both cheaper and better than one on the dashed Pareto front.",
        ),
        "data_flow": FigureSpec(
            "How many images went where",
            data.data_flow,
            "From the files through preprocessing to the parts of the split, by class.",
            _has_split,
        ),
        "architecture": FigureSpec(
            "Architectures",
            architecture.architecture,
            "One row a network: a bar a layer, its height the side of the feature map. The layers "
            "stand in each model's section.",
            lambda results: bool(architecture.networks(results)),
        ),
        "hardest": FigureSpec(
            "Images that most models get wrong",
            pictures.hardest,
            "The test images that most of the ranked models get wrong, with their true and their "
            "commonest predicted class.",
            lambda results: not results.ranked.empty,
            "optional",
        ),
        "samples": FigureSpec(
            "Samples of each class",
            data.samples,
            "Five images of each class, evenly spaced over its files.",
            _has_split,
            "required",
        ),
        "prediction_examples": FigureSpec(
            "Predicted classes",
            pictures.prediction_examples,
            "Test images with the class that the best model predicts and its probability: right "
            "predictions above, wrong ones below.",
            lambda results: not results.ranked.empty,
            "required",
        ),
        "gradcam": FigureSpec(
            "Grad-CAM",
            explanations.gradcam,
            "The first test image of each class by file name, and below it the same under each "
            "network's heat map: what is bright raised the score of the class that was called. Each "
            "map is scaled to its own highest value. It tells where, not why.",
            lambda results: bool(heat_maps(results)),
            "required",
        ),
    }
)  # fmt: skip


def figure_names() -> tuple[str, ...]:
    """Names of all figures, in the order of the page."""
    return tuple(FIGURES)


def possible(results: Results, images_root: Path | None = None) -> Iterator[str]:
    """Give the names of the figures that a run has what it takes for."""
    for name, spec in FIGURES.items():
        if (spec.images != "required" or images_root is not None) and spec.possible(results):
            yield name


def draw(folder: RunFolder | Results, name: str, images_root: Path | None = None) -> Figure:
    """Draw one figure.

    Parameters
    ----------
    folder : RunFolder or Results
        The run.
    name : str
        One of `figure_names`.
    images_root : Path, optional
        Folder that holds the class folders; without it no picture is shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        Where there is no such figure, or the run has not what it needs.
    """
    if name not in FIGURES:
        raise UsageError(
            f"There is no figure {name!r}{did_you_mean(name, FIGURES)}: take one of "
            f"{', '.join(FIGURES)}."
        )
    results = folder if isinstance(folder, Results) else Results(folder)
    spec = FIGURES[name]
    if spec.images == "required" and images_root is None:
        raise UsageError(f"The figure {name!r} shows images: give their folder as images_root.")
    if not spec.possible(results):
        raise UsageError(
            f"The figure {name!r} cannot be drawn from {results.folder.path}: no trial there left "
            "what it shows; run more models, seeds or folds."
        )
    with house_style():
        if spec.images == "none":
            return spec.drawing(results)
        return spec.drawing(results, images_root)


def hardest_csv(results: Results) -> str:
    """Return ``hardest.csv``: the images that at least one ranked model gets wrong."""
    table = pictures.hardest_images(results)
    return str(table[table["wrong"] > 0].to_csv(index=False, lineterminator="\n"))


def write_figures(
    folder: RunFolder, images_root: Path | None = None, results: Results | None = None
) -> list[Path]:
    """Write all figures that are possible into ``figures/``, and the table of the hardest images.

    Parameters
    ----------
    folder : RunFolder
    images_root : Path, optional
        Folder that holds the class folders; without it no picture of a cell is written, and one of
        an earlier call is removed.
    results : Results, optional
        Of the same folder, where they were computed already.

    Returns
    -------
    list of Path
        What was written: ``<name>.svg``, ``<name>.png`` and ``hardest.csv``.
    """
    results = results or Results(folder)
    place = folder.path / "figures"
    written = []
    names = list(possible(results, images_root))
    for name in names:
        figure = draw(results, name, images_root)
        for form in ("svg", "png"):
            path = place / f"{name}.{form}"
            write_bytes(path, rendered(figure, form))
            written.append(path)
    write_text(place / "hardest.csv", hardest_csv(results))
    for name in set(FIGURES) - set(names):
        for form in ("svg", "png"):
            (place / f"{name}.{form}").unlink(missing_ok=True)
    return [*written, place / "hardest.csv"]
