"""What each model uses to decide, as its trials left it: importance of features, heat maps, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from leukbench.report.formats import percent
from leukbench.report.results import Results, rows_of
from leukbench.runfolder import WHOLE_FEATURE, HeatMaps

IMPORTANCE_NOTE = (
    "Permutation importance: how many points of accuracy are lost on {images} test images when one "
    "part of the features is exchanged between images (mean and standard deviation of {repeats} "
    "exchanges; with nothing exchanged, the accuracy on them is {accuracy}). Where parts carry the "
    "same information, each looks unimportant alone, which is why the whole feature stands above its "
    "parts; and an exchanged image is unlike any real one. Importance tells what the model uses, not "
    "what is medically right."
)
HEAT_NOTE = (
    "Grad-CAM on the first test image of each class by file name: bright areas raised the score of "
    "the class that the model predicted. {grid}Each map is scaled to its own highest value, so that "
    "brightness cannot be compared between images. A map that is bright all over shows that no single "
    "area decides, but perhaps the colour of the whole image; one that is dark all over shows that "
    "nothing spoke for the class. A map tells where, not why: a bright background may be a shortcut, "
    "and a bright cell is no proof that there is none."
)
HEAT_WITHOUT_IMAGES = (
    "The maps are stored without the pictures; leukbench report RUN --images FOLDER draws them over "
    "the images."
)


@dataclass(frozen=True)
class UsedView:
    """What the page says of one model: a note, and rows of text that depend on the kind."""

    kind: Literal["importance", "heat", "none"]
    note: str
    rows: Sequence[Sequence[str]] = ()


def strip_name(model: str) -> str:
    """Name of the picture of a network's heat maps among the images of the page."""
    return f"gradcam/{model}"


def part_name(feature: str, group: str) -> str:
    """What a row of importance is called; parts stand below the whole of their feature.

    >>> part_name("grey histogram", "all of it"), part_name("grey histogram", "values 0–31")
    ('grey histogram, all of it', 'values 0–31')
    """
    return f"{feature}, {group}" if group == WHOLE_FEATURE else group


def used_view(results: Results, name: str, drawn: bool) -> UsedView | None:
    """What the page says of one model, or None for nothing; `drawn` where it shows its heat maps."""
    if name in results.importances:
        return _importance(results.importances[name])
    if name in results.heat_maps:
        return _heat(results.layers.get(name, ()), results.heat_maps[name], drawn)
    reason = next(
        (record.explanation for record in results.records[name] if record.explanation), ""
    )
    return UsedView("none", reason) if reason else None


def _importance(table: pd.DataFrame) -> UsedView:
    """Rows: part, points lost, their standard deviation, and the share of the largest loss."""
    first = table.iloc[0]
    note = IMPORTANCE_NOTE.format(
        images=first["images"], repeats=first["repeats"], accuracy=percent(first["accuracy"], 1)
    )
    highest = max(float(table["drop"].max()), 0.01)
    rows = [
        (
            part_name(row["feature"], row["group"]),
            f"{100 * row['drop'] + 0.0:.1f}",
            f"{100 * row['drop_std']:.1f}",
            f"{min(max(row['drop'] / highest, 0.0), 1.0):.3f}",
        )
        for row in rows_of(table)
    ]
    return UsedView("importance", note, rows)


def _heat(layers: Sequence[Mapping[str, Any]], maps: HeatMaps, drawn: bool) -> UsedView:
    """Rows: image, true class, predicted class and its probability."""
    shapes = [layer["output_shape"] for layer in layers]
    pictures = [shape for shape in shapes if len(shape) == 3 and min(shape[:2]) > 1]
    grid = ""
    if pictures:
        height, width, _ = pictures[-1]
        grid = f"A map is no finer than the network's last feature map, {height} × {width} cells. "
    note = HEAT_NOTE.format(grid=grid) + ("" if drawn else f" {HEAT_WITHOUT_IMAGES}")
    probabilities = [percent(probability, 1) for probability in maps.probability]
    rows = list(zip(maps.images, maps.labels, maps.predicted, probabilities, strict=True))
    return UsedView("heat", note, rows)
