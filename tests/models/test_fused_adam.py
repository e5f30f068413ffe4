"""The fused update is Keras' Adam, up to rounding."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from leukbench.models.training.fused_adam import FusedAdam


def _trained(optimizer: Any, jit_compile: bool) -> list[np.ndarray]:
    keras.utils.set_random_seed(3)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    network.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(48, 8, 8, 1)).astype("float32")
    network.fit(images, np.arange(48) % 3, batch_size=16, epochs=4, shuffle=False, verbose=0)
    return [np.asarray(weights) for weights in network.get_weights()]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("decay", [None, 0.1])
def test_same_weights_as_keras_adam(decay: float | None, jit_compile: bool) -> None:
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 12)
    fused = _trained(FusedAdam(rate, weight_decay=decay), jit_compile)
    plain = _trained(keras.optimizers.Adam(rate, weight_decay=decay), jit_compile)
    start = _trained(FusedAdam(0.0), jit_compile)
    for one, other, first in zip(fused, plain, start, strict=True):
        assert np.abs(one - first).max() > 1e-3  # it moved
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_weight_decay_is_that_of_adamw() -> None:
    fused = _trained(FusedAdam(1e-2, weight_decay=0.05), False)
    adamw = _trained(keras.optimizers.AdamW(1e-2, weight_decay=0.05), False)
    for one, other in zip(fused, adamw, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
