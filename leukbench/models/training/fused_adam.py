"""Adam with its update in one pass over each variable.

Keras writes Adam's update as a dozen element-wise operations, each of which reads and writes whole
variables; for the fully connected layers of VGG and AlexNet (tens of millions of weights) that is a
good part of a step on a CPU. TensorFlow has the same update as one kernel.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="leukbench")
class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """`keras.optimizers.Adam` with the update of Kingma and Ba 2015 (section 2, last paragraph) fused.

    Same formula, same state, same parameters; results differ by rounding. ``weight_decay`` is
    decoupled, as in `keras.optimizers.AdamW`. AMSGrad is left to Keras.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its two moments."""
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        kind = variable.dtype
        step = tf.cast(self.iterations + 1, kind)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, kind), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, kind), step),
            lr=tf.cast(learning_rate, kind),
            beta1=tf.cast(self.beta_1, kind),
            beta2=tf.cast(self.beta_2, kind),
            epsilon=tf.cast(self.epsilon, kind),
            grad=tf.cast(gradient, kind),
        )
