"""Weight gradients by a product are those of the convolution, and change nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from leukbench.explain.heat_maps import grad_cam
from leukbench.models import registry
from leukbench.models.testing import tiny_images
from leukbench.models.training import weight_gradients


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "kernel", "strides"),
    [
        ((6, 6), (3, 3), (1, 1)),
        ((7, 5), (3, 3), (2, 2)),
        ((8, 9), (5, 3), (2, 1)),
        ((6, 7), (2, 4), (1, 3)),
        ((5, 5), (1, 1), (2, 2)),
        ((3, 3), (3, 3), (1, 1)),
    ],
)
def test_gradients_are_those_of_the_convolution(
    size: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int], padding: str
) -> None:
    generator = np.random.default_rng(0)
    images = tf.constant(generator.normal(size=(4, *size, 3)), tf.float32)
    weights = tf.constant(generator.normal(size=(*kernel, 3, 5)), tf.float32)
    found = {}
    for name, call in (
        ("product", weight_gradients.convolution(strides, padding)),
        ("own", lambda x, k: tf.nn.conv2d(x, k, list(strides), padding.upper())),
    ):
        with tf.GradientTape() as tape:
            tape.watch([images, weights])
            maps = call(images, weights)
            loss = tf.reduce_sum(maps * tf.sin(maps))
        found[name] = (maps, *tape.gradient(loss, [images, weights]))
    for ours, theirs in zip(found["product"], found["own"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_only_bfloat16_convolutions_on_small_maps_are_changed() -> None:
    images = (50, 50, 1)
    small = registry.create("vgg16", precision="mixed_bfloat16").build(images, 4)
    changed = weight_gradients.multiply_on_small_maps(small)
    assert changed == [f"block{b}_conv{n}" for b in (4, 5) for n in (1, 2, 3)]  # 6x6 and less
    exact = registry.create("vgg16", precision="float32").build(images, 4)
    assert weight_gradients.multiply_on_small_maps(exact) == []


def test_grad_cam_reads_a_network_whose_gradients_are_a_product() -> None:
    images, labels = tiny_images(classes=3, channels=3)
    recipe = {"epochs": 1, "batch_size": 8, "precision": "mixed_bfloat16", "random_state": 0}
    model = registry.create("leuknet", **recipe)
    assert weight_gradients.multiply_on_small_maps(model.build(images.shape[1:], 3))
    network = model.fit(images, labels).model_
    heats = [grad_cam(network, images[0], target) for target in range(3)]
    assert max(heat.max() for heat in heats) == 1.0
    assert {heat.shape for heat in heats} == {images.shape[1:3]}


def test_training_and_saving_are_the_same_but_for_rounding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images, labels = tiny_images(classes=3)
    recipe = {"epochs": 3, "batch_size": 8, "precision": "mixed_bfloat16", "random_state": 0}
    model = registry.create("modified_cnn", **recipe)
    changed = weight_gradients.multiply_on_small_maps(model.build(images.shape[1:], 3))
    assert changed  # so that there is something to see
    model.fit(images, labels)
    again = registry.create("modified_cnn", **recipe).fit(images, labels)
    found = model.predict_proba(images)
    assert np.array_equal(found, again.predict_proba(images))

    file = model.save(tmp_path / "model.keras")
    loaded = registry.create("modified_cnn", **recipe).load(file, model.classes_)
    assert np.array_equal(loaded.predict_proba(images), found)

    monkeypatch.setattr(weight_gradients, "POSITIONS", 0)
    plain = registry.create("modified_cnn", **recipe).fit(images, labels)
    np.testing.assert_allclose(plain.predict_proba(images), found, atol=0.05)
