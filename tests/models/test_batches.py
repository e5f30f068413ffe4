"""The batches that Keras' loops are given."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.models.training.batches import batches, shuffled_batches

IMAGES = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1).repeat(4, axis=1)
TARGETS = np.arange(10) % 3


def order(epoch):
    return [int(value) for pixels, _ in epoch for value in np.asarray(pixels)[:, 0, 0, 0]]


def test_batches_keep_the_order_and_the_last_is_short():
    found = [np.asarray(pixels) for pixels in batches(IMAGES, batch_size=4)]
    assert [len(batch) for batch in found] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(found), IMAGES)


def test_every_epoch_has_every_image_once_with_its_target_in_another_order():
    shuffled = shuffled_batches(IMAGES, TARGETS, batch_size=4, seed=3)
    first, second = order(shuffled), order(shuffled)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    for pixels, targets in shuffled:
        np.testing.assert_array_equal(np.asarray(pixels)[:, 0, 0, 0] % 3, targets)


def test_the_seed_decides_the_order():
    def first_two(seed):
        shuffled = shuffled_batches(IMAGES, TARGETS, batch_size=4, seed=seed)
        return order(shuffled), order(shuffled)

    assert first_two(3) == first_two(3) != first_two(4)


def test_several_outputs_get_their_targets_each():
    (pixels, targets), *_ = batches(IMAGES, [TARGETS, TARGETS + 1], batch_size=10)
    assert len(pixels) == 10
    np.testing.assert_array_equal(targets[0], TARGETS)
    np.testing.assert_array_equal(targets[1], TARGETS + 1)


@pytest.mark.parametrize("targets", [None, TARGETS])
def test_autotuning_is_off(targets):
    """Its thread would make the end of every epoch wait."""
    assert batches(IMAGES, targets, batch_size=4).options().autotune.enabled is False
    if targets is not None:
        shuffled = shuffled_batches(IMAGES, targets, batch_size=4, seed=0)
        assert shuffled.options().autotune.enabled is False
