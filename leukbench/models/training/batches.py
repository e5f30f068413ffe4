"""Batches of images for Keras' training, validation and prediction loops.

Keras makes a ``tf.data`` pipeline of plain arrays with TensorFlow's autotuning of buffers on. Its
thread looks again after 10, 20, 40 ... ms, and in TensorFlow 2.21 the end of a pipeline waits until
the thread wakes up. These pipelines have no buffer to tune, so they do without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def batches(images: NDArray[np.uint8], targets: Any = None, *, batch_size: int) -> Any:
    """A ``tf.data.Dataset`` of the images in their own order, with their targets where given.

    ``images`` has the shape (n, height, width, channels). ``targets`` are class indices, shape (n,),
    or a list of such arrays for a network with several outputs. The last batch may be smaller.
    """
    return _gather(tf.data.Dataset.range(len(images)), images, targets, batch_size)


def shuffled_batches(images: NDArray[np.uint8], targets: Any, *, batch_size: int, seed: int) -> Any:
    """As `batches`, in another order in each epoch, which ``seed`` decides."""
    order = tf.data.Dataset.range(len(images)).shuffle(
        len(images), seed=seed, reshuffle_each_iteration=True
    )
    return _gather(order, images, targets, batch_size)


def _gather(order: Any, images: NDArray[np.uint8], targets: Any, batch_size: int) -> Any:
    pixels = tf.convert_to_tensor(images)
    options = tf.data.Options()
    options.autotune.enabled = False
    columns: Any = pixels
    if targets is not None:
        # Several outputs as a tuple: ``tf.data`` takes a list for one tensor.
        classes = tuple(targets) if isinstance(targets, list) else targets
        columns = (pixels, tf.nest.map_structure(tf.convert_to_tensor, classes))

    def pick(rows: Any) -> Any:
        return tf.nest.map_structure(lambda column: tf.gather(column, rows), columns)

    return order.batch(batch_size).map(pick).prefetch(1).with_options(options)
