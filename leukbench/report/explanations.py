"""What the models go by, as their trials left it: importance of features, heat maps, and their limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.data.preprocess import preprocess_image, read_image
from leukbench.records import TrialRecord
from leukbench.report.formats import percent
from leukbench.report.results import Results
from leukbench.runfolder import HeatMaps

LARGEST = 224
WHOLE = "all of it"
"""Group of ``explanation.csv`` that holds a whole feature."""
_Found = TypeVar("_Found", pd.DataFrame, HeatMaps)

IMPORTANCE_NOTE = (
    "Permutation importance: how many points of accuracy are lost on {images} test images when one "
    "part of the features is exchanged between images (mean and standard deviation of {repeats} "
    "exchanges; with nothing exchanged accuracy on them is {accuracy}). Where parts tell the same, "
    "each looks unimportant alone, which is why the whole feature stands above its parts; and an "
    "exchanged image is unlike any real one. It tells what the model uses, not what is medically "
    "right."
)
HEAT_NOTE = (
    "Grad-CAM on the first test image of each class by file name: what is bright raised the score of "
    "the class that the model called. {grid}Each map is scaled to its own highest value, so that "
    "brightness is not compared between images; one that is bright all over says that no place "
    "decides, but perhaps the tone of the whole image, and one that is dark all over found nothing "
    "that speaks for the class. It tells where, not why: a bright background may be a shortcut, and "
    "a bright cell is no proof that there is none."
)
HEAT_WITHOUT_IMAGES = (
    "The maps are stored without the pictures; leukbench report RUN --images FOLDER draws them over "
    "the images."
)


def importances(results: Results) -> dict[str, pd.DataFrame]:
    """Importance of each model that has it, in the order of the table."""
    return _first(results, results.folder.importance)


def heat_maps(results: Results) -> dict[str, HeatMaps]:
    """Heat maps of each network that has some, in the order of the table."""
    return _first(results, results.folder.heat_maps)


def part_name(feature: str, group: str) -> str:
    """What a row of importance is called; parts stand below the whole of their feature.

    >>> part_name("grey histogram", "all of it"), part_name("grey histogram", "values 0–31")
    ('grey histogram, all of it', 'values 0–31')
    """
    return f"{feature}, {group}" if group == WHOLE else group


def _first(results: Results, read: Callable[[TrialRecord], _Found | None]) -> dict[str, _Found]:
    """What the first trial of each model that left it holds."""
    found = {}
    for name in results.comparison["model"]:
        kept = (read(record) for record in results.records[name] if record.scored)
        one = next((value for value in kept if value is not None), None)
        if one is not None:
            found[str(name)] = one
    return found


def picture_of(results: Results, path: Path) -> NDArray[np.uint8]:
    """An image as its heat map sees it: red, green, blue, at most 224 pixels wide.

    That is the whole image, or what was cut out of it where the protocol crops.
    """
    settings = results.folder.run.protocol.preprocessing
    image = read_image(path)
    if settings.crop:
        seen = preprocess_image(image, settings)
        return np.repeat(seen, 3, axis=2) if seen.shape[2] == 1 else seen
    scale = LARGEST / max(image.shape[:2])
    if scale < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
    return np.ascontiguousarray(image[:, :, ::-1])


def overlaid(picture: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture under its heat map.

    Parameters
    ----------
    picture : numpy.ndarray of uint8, shape (height, width, 3)
        Red, green, blue.
    heat : numpy.ndarray of uint8, shape (any, any)
        Stretched over the picture.
    """
    size = (picture.shape[1], picture.shape[0])
    stretched = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(stretched, cv2.COLORMAP_VIRIDIS)[:, :, ::-1]
    return np.asarray(cv2.addWeighted(picture, 0.5, np.ascontiguousarray(colours), 0.5, 0.0))


def strip(
    results: Results, maps: HeatMaps, images_root: Path, side: int = 180
) -> NDArray[np.uint8]:
    """The images of one network in a row, and below them the same under their heat."""
    columns = []
    for image, heat in zip(maps.images, maps.heat, strict=True):
        picture = picture_of(results, images_root / image)
        both = (picture, overlaid(picture, heat))
        columns.append(np.concatenate([cv2.resize(one, (side, side)) for one in both], axis=0))
    return np.asarray(np.concatenate(columns, axis=1))


def explanation_of(results: Results, name: str, drawn: bool) -> dict[str, Any] | None:
    """What the page says of one model: a note, rows, and why there is no more; None for nothing.

    Parameters
    ----------
    results : Results
    name : str
        Of the model.
    drawn : bool
        Whether the page shows its heat maps.
    """
    records = results.records[name]
    for record in records:
        table = results.folder.importance(record)
        if table is not None:
            return _importance(table)
        maps = results.folder.heat_maps(record)
        if maps is not None:
            return _heat(record, maps, drawn)
    reason = next((record.explanation for record in records if record.explanation), "")
    return {"kind": "none", "note": reason} if reason else None


def _importance(table: pd.DataFrame) -> dict[str, Any]:
    first = table.iloc[0]
    note = IMPORTANCE_NOTE.format(
        images=first["images"], repeats=first["repeats"], accuracy=percent(first["accuracy"], 1)
    )
    highest = max(float(table["drop"].max()), 0.01)
    rows = [
        {
            "part": part_name(row["feature"], row["group"]),
            "drop": f"{100 * row['drop'] + 0.0:.1f}",
            "spread": f"{100 * row['drop_std']:.1f}",
            "share": f"{min(max(row['drop'] / highest, 0.0), 1.0):.3f}",
        }
        for row in table.to_dict("records")
    ]
    return {"kind": "importance", "note": note, "rows": rows}


def _heat(record: TrialRecord, maps: HeatMaps, drawn: bool) -> dict[str, Any]:
    shapes = [layer["output_shape"] for layer in record.layers or ()]
    pictures = [shape for shape in shapes if len(shape) == 3 and min(shape[:2]) > 1]
    grid = ""
    if pictures:
        height, width, _ = pictures[-1]
        grid = f"A map is no finer than the network's last picture, {height} × {width} cells. "
    note = HEAT_NOTE.format(grid=grid)
    rows = [
        [image, label, called, percent(probability, 1)]
        for image, label, called, probability in zip(
            maps.images, maps.labels, maps.predicted, maps.probability, strict=True
        )
    ]
    return {
        "kind": "heat",
        "note": note if drawn else f"{note} {HEAT_WITHOUT_IMAGES}",
        "rows": rows,
    }
