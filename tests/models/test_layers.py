"""The project's own layers: fused normalisation and augmentation."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from leukbench.models.training.layers import BatchNormalization, SmearAugmentation  # noqa: E402


def maps(seed=0, shape=(6, 5, 4, 3)):
    return np.random.default_rng(seed).normal(2, 3, shape).astype(np.float32)


def test_normalisation_agrees_with_keras_in_training_and_after():
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization(momentum=0.9)
    for seed in range(4):
        x = maps(seed)
        assert np.allclose(ours(x, training=True), theirs(x, training=True), atol=1e-5)
    assert np.allclose(ours.moving_mean, theirs.moving_mean, atol=1e-5)
    # A sample's variance has n - 1 below the line: here n is 120.
    share = (np.asarray(theirs.moving_variance) - 0.9**4) * 120 / 119
    assert np.allclose(np.asarray(ours.moving_variance) - 0.9**4, share, atol=1e-4)
    assert np.allclose(ours(x), ours(x, training=False))


def test_normalisation_leaves_its_statistics_alone_outside_training():
    layer = BatchNormalization()
    layer(maps(), training=True)
    before = [np.array(weights) for weights in layer.get_weights()]
    first = np.array(layer(maps(1)))
    assert np.array_equal(first, layer(maps(1)))
    layer.trainable = False
    layer(maps(2), training=True)
    assert all(np.array_equal(*pair) for pair in zip(before, layer.get_weights(), strict=True))


def test_augmentation_changes_nothing_outside_training():
    x = maps()
    assert np.array_equal(SmearAugmentation()(x), x)


def test_augmentation_shows_the_eight_symmetries_and_no_others():
    image = maps(shape=(1, 4, 4, 1))
    seen = np.asarray(SmearAugmentation(jitter=0.0)(np.repeat(image, 400, axis=0), training=True))
    turns = [np.rot90(image[0, ..., 0], k) for k in range(4)]
    symmetries = {t.tobytes() for t in turns} | {np.ascontiguousarray(t.T).tobytes() for t in turns}
    assert {np.ascontiguousarray(one[..., 0]).tobytes() for one in seen} == symmetries


def test_oblong_images_keep_their_shape():
    x = maps(shape=(8, 4, 6, 3))
    assert SmearAugmentation()(x, training=True).shape == x.shape


def test_jitter_stays_within_its_bounds_and_differs_by_channel():
    x = np.full((50, 4, 4, 3), 0.5, dtype=np.float32)
    seen = np.asarray(SmearAugmentation(jitter=0.1, value_range=1.0)(x, training=True))
    assert seen.min() >= 0.5 * 0.9 - 0.1 - 1e-6 and seen.max() <= 0.5 * 1.1 + 0.1 + 1e-6
    assert np.ptp(seen[0, 0, 0]) > 0
    assert np.ptp(seen, axis=(1, 2)).max() == 0  # one gain and offset for all of a channel


def test_augmentation_keeps_its_options_when_saved():
    layer = SmearAugmentation(jitter=0.07, value_range=2.0)
    copy = SmearAugmentation.from_config(layer.get_config())
    assert (copy.jitter, copy.value_range) == (0.07, 2.0)
