"""Columns of the classical features in groups that a reader understands.

The Fourier spectrum falls into rings of equal width around frequency zero, a histogram into bands of
neighbouring bins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from sklearn.pipeline import FeatureUnion

from leukbench.models.features import ColourHistogram, FourierSpectrum, GreyHistogram
from leukbench.runfolder import WHOLE_FEATURE

RINGS = 8
GREY_BANDS = 8
COLOUR_BANDS = 4


@dataclass(frozen=True)
class FeatureGroup:
    """Columns that belong together.

    Attributes
    ----------
    feature : str
        What they are computed from.
    name : str
        Which part of it: frequencies in cycles a pixel, or grey or colour values 0..255.
    columns : numpy.ndarray of int
        Their places among all columns.
    """

    feature: str
    name: str
    columns: NDArray[np.intp]


def feature_groups(transformer: Any, channels: int) -> list[FeatureGroup]:
    """Groups of the columns that a fitted transformer makes.

    Parameters
    ----------
    transformer : transformer
        `FourierSpectrum`, `GreyHistogram`, `ColourHistogram`, or a FeatureUnion of them.
    channels : int
        Of the images, 1 or 3.

    Returns
    -------
    list of FeatureGroup
        Of each feature first the whole of it, and then its parts, which share no column. Empty where
        the meaning of the columns is not known.
    """
    parts = [transformer]
    if isinstance(transformer, FeatureUnion):
        parts = [one for _, one in transformer.transformer_list]
    found: list[FeatureGroup] = []
    start = 0
    for part in parts:
        own = list(_groups(part, channels))
        if not own:
            return []
        found += [replace(group, columns=group.columns + start) for group in own]
        start += max(int(group.columns.max()) for group in own) + 1
    return found


def _groups(part: Any, channels: int) -> Iterator[FeatureGroup]:
    if isinstance(part, FourierSpectrum):
        yield from _rings(*part.image_shape_)
    elif isinstance(part, GreyHistogram):
        yield from _bands("grey histogram", 256, GREY_BANDS, 0)
    elif isinstance(part, ColourHistogram):
        names = ("red histogram", "green histogram", "blue histogram")
        bands = COLOUR_BANDS if channels == 3 else GREY_BANDS
        for number, name in enumerate(names if channels == 3 else ("grey histogram",)):
            yield from _bands(name, part.bins, bands, number * part.bins)


def _rings(height: int, width: int) -> Iterator[FeatureGroup]:
    """Rings of the half-plane of a real image's transform; the first holds frequency zero."""
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width)[None, :]).ravel()
    edges = np.linspace(0.0, radius.max(), RINGS + 1)
    ring = np.digitize(radius, edges[1:-1])
    yield FeatureGroup("Fourier spectrum", WHOLE_FEATURE, np.arange(len(radius)))
    for number in range(RINGS):
        columns = np.flatnonzero(ring == number)
        if len(columns):
            name = f"{edges[number]:.2f}–{edges[number + 1]:.2f} cycles a pixel"
            yield FeatureGroup("Fourier spectrum", name, columns)


def _bands(feature: str, bins: int, bands: int, start: int) -> Iterator[FeatureGroup]:
    """Bands of a histogram's bins, by the values 0..255 that fall into them."""
    step = 256 // bins
    yield FeatureGroup(feature, WHOLE_FEATURE, np.arange(bins) + start)
    for columns in np.array_split(np.arange(bins), min(bands, bins)):
        name = f"values {columns[0] * step}–{(columns[-1] + 1) * step - 1}"
        yield FeatureGroup(feature, name, columns + start)
