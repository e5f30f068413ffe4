"""Views hold what they name and nothing else; protocols without one keep their fingerprint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from leukbench.data.preprocess import preprocess_image
from leukbench.data.segment import covering_mask
from leukbench.data.synthetic import SyntheticConfig, synthesize
from leukbench.data.views import VIEWS
from leukbench.errors import UsageError
from leukbench.protocol import (
    Preprocessing,
    Protocol,
    View,
    builtin_protocols,
    load_protocol,
    parse_protocol,
)

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def smear() -> np.ndarray:
    made = synthesize(SyntheticConfig(images_per_class=1, patients_per_class=1, size=96))
    image: np.ndarray = cv2.cvtColor(list(made.images)[3], cv2.COLOR_RGB2BGR)
    assert 0 < covering_mask(image).mean() < 0.9
    return image


def test_the_key_names_every_view() -> None:
    assert get_args(View) == ("whole", *VIEWS)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_an_image_and_the_same_each_time(name: str, smear: np.ndarray) -> None:
    before = smear.copy()
    seen = VIEWS[name](smear)
    assert seen.dtype == np.uint8 and seen.shape == smear.shape
    assert not np.array_equal(seen, smear)
    np.testing.assert_array_equal(VIEWS[name](smear.copy()), seen)
    np.testing.assert_array_equal(smear, before)
    for odd in (np.full((1, 1, 3), 9, np.uint8), np.zeros((5, 300, 3), np.uint8)):
        assert VIEWS[name](odd).dtype == np.uint8


def test_cells_and_background_part_the_image(smear: np.ndarray) -> None:
    covered = covering_mask(smear)
    background, cells = VIEWS["background"](smear), VIEWS["cells"](smear)
    np.testing.assert_array_equal(background[~covered], smear[~covered])
    assert len(np.unique(background[covered], axis=0)) == 1, "one colour where cells were"
    assert not cells[~covered].any()
    inside = cells.any(axis=2)
    np.testing.assert_array_equal(cells[inside], smear[inside])
    np.testing.assert_array_equal(VIEWS["silhouettes"](smear)[..., 0] == 255, covered)


def test_what_lies_in_cells_does_not_reach_the_background(smear: np.ndarray) -> None:
    changed = smear.copy()
    nucleus = VIEWS["cells"](smear).any(axis=2)
    changed[nucleus] = np.roll(smear[nucleus], 7, axis=0)
    if np.array_equal(covering_mask(changed), covering_mask(smear)):
        views = (VIEWS["background"](one) for one in (smear, changed))
        np.testing.assert_array_equal(next(views), next(views))


def test_shuffling_moves_patches_and_changes_no_pixel(smear: np.ndarray) -> None:
    seen = VIEWS["shuffled"](smear)
    patches = [
        sorted(
            one[r : r + 12, c : c + 12].tobytes()
            for r in range(0, 96, 12)
            for c in range(0, 96, 12)
        )
        for one in (seen, smear)
    ]
    assert patches[0] == patches[1]
    order = VIEWS["shuffled"](np.ascontiguousarray(smear[::-1]))
    assert not np.array_equal(order, np.ascontiguousarray(seen[::-1])), "drawn anew for each image"


def test_colour_holds_six_numbers(smear: np.ndarray) -> None:
    seen = VIEWS["colour"](smear)
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) == 2
    mean, deviation = (value.ravel() for value in cv2.meanStdDev(smear))
    np.testing.assert_allclose(seen[0, 0], np.clip(mean - deviation, 0, 255), atol=0.51)
    np.testing.assert_allclose(seen[0, -1], np.clip(mean + deviation, 0, 255), atol=0.51)
    settings = Preprocessing(size=16, colour="rgb", median_kernel=5, view="colour")
    small = preprocess_image(smear, settings)
    np.testing.assert_array_equal(small[:, 0], np.repeat(seen[:1, 0, ::-1], 16, axis=0))


def test_coarse_and_fine_are_the_image_again(smear: np.ndarray) -> None:
    low, high = VIEWS["lowpass"](smear).astype(int), VIEWS["highpass"](smear).astype(int)
    inside = (high > 0) & (high < 255)
    np.testing.assert_array_equal((low + high - 128)[inside], smear[inside])
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))[..., None].repeat(3, axis=2)
    assert np.ptp(VIEWS["lowpass"](stripes)[8:-8, 8:-8].astype(int)) < 20
    even = np.full((64, 64, 3), 200, np.uint8)
    assert (VIEWS["highpass"](even) == 128).all()


def test_grey_is_what_a_grey_protocol_sees(smear: np.ndarray) -> None:
    seen = preprocess_image(smear, Preprocessing(colour="rgb", view="grey"))
    plain = preprocess_image(smear, Preprocessing(colour="grey"))
    np.testing.assert_array_equal(seen, plain.repeat(3, axis=2))


def test_fingerprints_are_those_from_before_there_were_views() -> None:
    for name in builtin_protocols():
        assert "view" not in json.dumps(load_protocol(name).comparable())
    for path in sorted(RESULTS.glob("*/run.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        found = Protocol.model_validate(run["protocol"])
        assert found.fingerprint == run["protocol_fingerprint"], path


def test_each_view_has_its_own_fingerprint() -> None:
    views = [Preprocessing(colour="rgb", view=name) for name in get_args(View)]
    found = {Protocol(name="x", preprocessing=one).fingerprint for one in views}
    assert len(found) == len(views)
    for one in views:
        assert Preprocessing.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('segmentation = "hsv"\nview = "cells"', "goes with segmentation none"),
        ('view = "grey"', "goes with colour rgb"),
        ('view = "cell"', "preprocessing.view = 'cell' does not fit"),
    ],
)
def test_a_view_that_does_not_fit_is_refused(keys: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_protocol(f'name = "x"\n[preprocessing]\n{keys}\n', "x.toml")
    with pytest.raises(ValidationError):
        Preprocessing(view="nothing")  # type: ignore[arg-type]
