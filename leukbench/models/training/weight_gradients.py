"""Weight gradients of bfloat16 convolutions on small feature maps, as one matrix product.

The gradient of a convolution's kernel is the product of the input's patches with the gradient of the
output, over all images and positions. In bfloat16 TensorFlow's own kernel for it takes 1.5 to 2.6 times
as long as cutting and multiplying at 6x6 and 3x3 positions, 1.3 to 1.6 times at 7x7, and about as long
at 12x12; it is the faster one on larger maps, and in float32 nearly everywhere. The product gives the
same sums but for the order of addition. Forward pass and stored model are untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

POSITIONS = 49
"""Largest number of positions of an output map, height times width, for which the product is taken."""

Convolution = Callable[[Any, Any], Any]


def multiply_on_small_maps(network: Any) -> list[str]:
    """Change a network that is not compiled yet; return the names of the layers that were changed.

    Those are its bfloat16 ``keras.layers.Conv2D`` (no subclasses) with at most `POSITIONS` positions.
    """
    changed = [layer for layer in network.layers if _suits(layer)]
    for layer in changed:
        layer.convolution_op = convolution(layer.strides, layer.padding)
    return [layer.name for layer in changed]


def _suits(layer: Any) -> bool:
    if type(layer) is not keras.layers.Conv2D or layer.compute_dtype != "bfloat16":
        return False
    if layer.data_format != "channels_last" or layer.groups != 1 or layer.dilation_rate != (1, 1):
        return False
    _, height, width, _ = layer.output.shape
    return None not in (height, width) and height * width <= POSITIONS


def convolution(strides: Sequence[int], padding: str) -> Convolution:
    """A convolution over images (n, height, width, channels) whose weight gradient is a product.

    ``strides`` go down and to the right; ``padding`` is ``same`` or ``valid``, as in Keras.
    """
    steps, rule = list(strides), padding.upper()

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve(images: Any, kernel: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            of_images = tf.nn.conv2d_transpose(upstream, kernel, tf.shape(images), steps, rule)
            patches = cut_patches(images, kernel.shape[:2], upstream.shape[1:3], steps, rule)
            return of_images, tf.reshape(
                tf.matmul(patches, tf.reshape(upstream, [-1, kernel.shape[3]]), transpose_a=True),
                kernel.shape,
            )

        return tf.nn.conv2d(images, kernel, steps, rule), gradients

    # Outside a graph TensorFlow refuses a variable in a function with a gradient of its own.
    return lambda images, kernel: convolve(images, tf.convert_to_tensor(kernel))


def cut_patches(
    images: Any, kernel: Sequence[int], maps: Sequence[int], strides: Sequence[int], padding: str
) -> Any:
    """What a convolution's kernel sees of images (n, height, width, channels) at every position.

    Kernel, output (``maps``) and strides are pairs, height first; ``padding`` is ``SAME`` or
    ``VALID``, as in ``tf.nn.conv2d``: the odd one of an uneven padding comes last. The shape is
    (n * positions, kernel height * kernel width * channels).
    """
    ends = [(size - 1) * step + 1 for size, step in zip(maps, strides, strict=True)]
    if padding == "SAME":
        missing = [
            max(end - 1 + width - size, 0)
            for end, width, size in zip(ends, kernel, images.shape[1:3], strict=True)
        ]
        around = [[more // 2, more - more // 2] for more in missing]
        images = tf.pad(images, [[0, 0], *around, [0, 0]])
    shifted = [
        images[:, row : row + ends[0] : strides[0], column : column + ends[1] : strides[1]]
        for row in range(kernel[0])
        for column in range(kernel[1])
    ]
    return tf.reshape(tf.concat(shifted, -1), [-1, kernel[0] * kernel[1] * images.shape[3]])
