"""The correlation of an overlap: high where two images show the same, with the right shift."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from leukbench.audit.alignment import (
    MIN_SHARE,
    Transform,
    agree,
    best_shift,
    flatten,
)
from tests.audit.smears import field


def grey(image: np.ndarray) -> np.ndarray:
    return flatten(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY), 2)


@pytest.mark.parametrize("shift", [(60, 10), (-40, 30), (0, -70)])
def test_the_shift_of_all_shifts_is_found_and_made_exact(shift: tuple[int, int]) -> None:
    dx, dy = shift
    wide = field(3, 160 + abs(dy), 160 + abs(dx))
    left, top = max(0, -dx), max(0, -dy)
    first = grey(wide[top : top + 160, left : left + 160])
    second = grey(wide[top + dy : top + dy + 160, left + dx : left + dx + 160])
    agreement = agree(first, second, best_shift(first, second))
    assert (agreement.transform.dx, agreement.transform.dy) == shift
    assert agreement.share == pytest.approx((160 - abs(dx)) * (160 - abs(dy)) / 160**2)
    assert agreement.correlation > 0.9
    assert agreement.statistic == pytest.approx(agreement.correlation * np.sqrt(agreement.share))


def test_different_fields_do_not_agree() -> None:
    first, second = grey(field(1)), grey(field(2))
    assert agree(first, second, best_shift(first, second)).statistic < 0.5


def test_the_correlation_is_numpys() -> None:
    first, second = grey(field(1)), grey(field(1)) + grey(field(2))
    agreement = agree(first, second, Transform(0, 0))
    inner = (slice(3, -3), slice(3, -3))
    expected = np.corrcoef(first[inner].ravel(), second[inner].ravel())[0, 1]
    assert agreement.transform == Transform(0, 0)
    assert agreement.correlation == pytest.approx(expected, abs=1e-4)


def test_a_sliver_of_overlap_counts_for_nothing() -> None:
    first = grey(field(1))
    share = MIN_SHARE - 0.01
    assert agree(first, first, Transform(round(160 * (1 - share)), 0)).statistic == 0


def test_a_scaled_copy_agrees_under_its_scale() -> None:
    image = field(4)
    crop = cv2.resize(image[8:152, 8:152], (160, 160))
    agreement = agree(grey(image), grey(crop), Transform(8, 8, 0.9))
    assert agreement.correlation > 0.85
    assert agreement.share == pytest.approx(1.0)
    assert agree(grey(image), grey(crop), Transform(0, 0)).correlation < agreement.correlation
