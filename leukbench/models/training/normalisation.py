"""Batch normalisation by TensorFlow's fused operation, which Keras 3 leaves unused.

In training on a CPU it takes less than half the time of Keras' own, with the same result.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="leukbench")
class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' layer for four-dimensional maps with channels last, with fewer passes over memory.

    Weights, names and arguments are those of `keras.layers.BatchNormalization`, but for the default
    ``momentum``: 0.9, as with 0.99 the running statistics lag behind where an epoch has forty
    steps. The running variance is that of a sample (n - 1), as in Keras 2 and PyTorch.
    """

    def __init__(self, momentum: float = 0.9, **others: Any) -> None:
        super().__init__(momentum=momentum, **others)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise by the batch in training, by the running statistics otherwise."""
        if not (training and self.trainable):
            return super().call(inputs, training=False, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            tf.cast(self.gamma, tf.float32),
            tf.cast(self.beta, tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )
        for running, found in ((self.moving_mean, mean), (self.moving_variance, variance)):
            running.assign(self.momentum * running + (1 - self.momentum) * found)
        return outputs
