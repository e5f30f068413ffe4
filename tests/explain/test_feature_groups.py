"""Groups of features hold every column, each part once, under a name that is true."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer

from leukbench.explain.feature_groups import feature_groups
from leukbench.models.features import ColourHistogram, FourierSpectrum, GreyHistogram
from leukbench.runfolder import WHOLE_FEATURE


def _images(channels: int, height: int = 20, width: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (5, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "transformer",
    [
        FourierSpectrum(),
        GreyHistogram(),
        ColourHistogram(bins=32),
        FeatureUnion([("spectrum", FourierSpectrum()), ("histogram", GreyHistogram())]),
    ],
    ids=["spectrum", "grey", "colour", "both"],
)
def test_parts_and_wholes_each_hold_every_column_once(transformer: object, channels: int) -> None:
    images = _images(channels)
    width = transformer.fit_transform(images).shape[1]
    groups = feature_groups(transformer, channels)
    for chosen in (True, False):
        columns = [group.columns for group in groups if (group.name == WHOLE_FEATURE) is chosen]
        assert sorted(np.concatenate(columns).tolist()) == list(range(width))
    assert len({(group.feature, group.name) for group in groups}) == len(groups)


def test_a_wave_stands_in_the_ring_of_its_frequency() -> None:
    """Six waves across 24 pixels are 0.25 cycles a pixel."""
    wave = 127 + 100 * np.sin(2 * np.pi * 6 * np.arange(24) / 24)
    image = np.broadcast_to(np.rint(wave)[None, None, :, None], (1, 20, 24, 1)).astype(np.uint8)
    transformer = FourierSpectrum().fit(image)
    flat = transformer.transform(np.full_like(image, 127))
    change = np.abs(transformer.transform(image) - flat)[0]
    rings = [group for group in feature_groups(transformer, 1) if group.name != WHOLE_FEATURE]
    strongest = max(rings, key=lambda ring: change[ring.columns].max())
    low, high = map(float, re.findall(r"\d\.\d+", strongest.name))
    assert low <= 0.25 <= high


def test_a_dark_image_stands_in_the_first_band_of_each_colour() -> None:
    image = np.full((1, 20, 24, 3), 10, dtype=np.uint8)
    transformer = ColourHistogram(bins=32).fit(image)
    shares = transformer.transform(image)[0]
    filled = [
        (group.feature, group.name)
        for group in feature_groups(transformer, 3)
        if group.name != WHOLE_FEATURE and shares[group.columns].sum() == 1
    ]
    assert filled == [(f"{name} histogram", "values 0–63") for name in ("red", "green", "blue")]


def test_features_of_unknown_meaning_have_no_groups() -> None:
    known = ("spectrum", FourierSpectrum())
    strange = ("strange", FunctionTransformer(lambda images: images.reshape(len(images), -1)))
    union = FeatureUnion([known, strange]).fit(_images(1))
    assert feature_groups(strange[1], 1) == []
    assert feature_groups(union, 1) == []
