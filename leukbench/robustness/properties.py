"""Numbers of an image that a model should not depend on: how bright, sharp, full and large it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from leukbench.data.segment import count_cells, leukocyte_mask
from leukbench.errors import DataError
from leukbench.robustness.folder import stored_file
from leukbench.robustness.images import Image, RunImages
from leukbench.runfolder import RunFolder

FILE = "properties.csv"


@dataclass(frozen=True)
class Property:
    """A number of an image.

    Attributes
    ----------
    title : str
        For people, with its unit.
    measure : callable
        Takes an image, uint8 of shape (height, width, 3), blue, green, red.
    """

    title: str
    measure: Callable[[Image], float]


def brightness(image: Image) -> float:
    """Mean grey value, 0..255.

    >>> brightness(np.full((4, 4, 3), 7, np.uint8))
    7.0
    """
    return float(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean())


def sharpness(image: Image) -> float:
    """Variance of the Laplacian of the grey values; low where an image is blurred.

    Source: Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548.
    """
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


def cells(image: Image) -> float:
    """Leukocytes that `leukbench.data.segment` finds."""
    return float(count_cells(leukocyte_mask(image)))


def pixels(image: Image) -> float:
    """Width times height."""
    return float(image.shape[0] * image.shape[1])


PROPERTIES: dict[str, Property] = {
    "brightness": Property("brightness (mean grey value)", brightness),
    "sharpness": Property("sharpness (variance of the Laplacian; low is blurred)", sharpness),
    "cells": Property("leukocytes in the image", cells),
    "size": Property("size (pixels)", pixels),
}


def measured(folder: RunFolder, data: Path) -> pd.DataFrame:
    """Measure every test image of a run: columns ``image`` and one a property."""
    split = folder.split
    images = sorted(set(split.loc[split["part"] == "test", "image"]))

    def measure(image: Image) -> list[float]:
        return [one.measure(image) for one in PROPERTIES.values()]

    rows = RunImages(folder, data).each(images, measure)
    return pd.DataFrame(rows, columns=list(PROPERTIES)).assign(image=images)[["image", *PROPERTIES]]


def stored_properties(folder: RunFolder) -> pd.DataFrame | None:
    """What an earlier command measured, or None."""
    path = stored_file(folder, FILE)
    return None if path is None else read_properties(path.read_text(encoding="utf-8"), path)


def read_properties(text: str, path: Path) -> pd.DataFrame:
    """Read the content of ``properties.csv``."""
    try:
        table = pd.read_csv(io.StringIO(text), dtype={"image": str}, keep_default_na=False)
        return table[["image", *PROPERTIES]].astype(dict.fromkeys(PROPERTIES, np.float64))
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read ({error}): run it again with `data`.") from error
