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
    """Columns that belong together, by number, and the feature that they are computed from.

    ``name`` is the part: frequencies in cycles a pixel, values 0..255, or `WHOLE_FEATURE`.
    """

    feature: str
    name: str
    columns: NDArray[np.intp]


def feature_groups(transformer: Any, channels: int) -> list[FeatureGroup]:
    """Groups of the columns that a fitted transformer makes of images with 1 or 3 channels.

    Of each feature first the whole of it, and then its parts, which share no column. Empty for other
    transformers than `FourierSpectrum`, `GreyHistogram`, `ColourHistogram` or a FeatureUnion of them:
    the meaning of their columns is not known.
    """
    features = [transformer]
    if isinstance(transformer, FeatureUnion):
        features = [one for _, one in transformer.transformer_list]
    groups: list[FeatureGroup] = []
    start = 0
    for feature in features:
        parts = list(_groups(feature, channels))
        if not parts:
            return []
        groups += [replace(group, columns=group.columns + start) for group in parts]
        start += sum(len(group.columns) for group in parts if group.name == WHOLE_FEATURE)
    return groups


def _groups(feature: Any, channels: int) -> Iterator[FeatureGroup]:
    if isinstance(feature, FourierSpectrum):
        yield from _rings(*feature.image_shape_)
    elif isinstance(feature, GreyHistogram):
        yield from _bands("grey", 256, GREY_BANDS)
    elif isinstance(feature, ColourHistogram) and channels == 1:
        yield from _bands("grey", feature.bins, GREY_BANDS)
    elif isinstance(feature, ColourHistogram):
        for number, colour in enumerate(("red", "green", "blue")):
            yield from _bands(colour, feature.bins, COLOUR_BANDS, number * feature.bins)


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


def _bands(colour: str, bins: int, bands: int, start: int = 0) -> Iterator[FeatureGroup]:
    """Bands of a histogram's bins, by the values 0..255 that fall into them."""
    feature = f"{colour} histogram"
    step = 256 // bins
    yield FeatureGroup(feature, WHOLE_FEATURE, np.arange(bins) + start)
    for columns in np.array_split(np.arange(bins), min(bands, bins)):
        name = f"values {columns[0] * step}–{(columns[-1] + 1) * step - 1}"
        yield FeatureGroup(feature, name, columns + start)
