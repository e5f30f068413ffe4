"""What a network costs: its layers, parameters and arithmetic, read from the Keras model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any


def walk_layers(model: Any) -> Iterator[Any]:
    """Every layer of a Keras model in order, those of nested models in their place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from walk_layers(layer)
        else:
            yield layer


def layer_flops(layer: Any) -> int:
    """Floating-point operations of one convolution or dense layer, for one image.

    A multiply-add counts as two operations. Additions of a bias, activations, pooling and
    normalisation are left out: they are below two percent in every network here.

    Parameters
    ----------
    layer : keras.Layer
        A layer that was called in a functional model.

    Returns
    -------
    int
        Zero for a layer without a kernel.
    """
    import keras

    if isinstance(layer, keras.layers.DepthwiseConv2D):
        _, height, width, channels = layer.output.shape
        return int(2 * math.prod(layer.kernel_size) * channels * height * width)
    if isinstance(layer, keras.layers.Conv2D):
        _, height, width, _ = layer.output.shape
        return int(2 * math.prod(layer.kernel.shape) * height * width)
    if isinstance(layer, keras.layers.Dense):
        return int(2 * math.prod(layer.kernel.shape))
    return 0


def model_flops(model: Any) -> int:
    """Floating-point operations of one forward pass over one image; see `layer_flops`."""
    return sum(layer_flops(layer) for layer in walk_layers(model))


def layer_table(model: Any) -> list[dict[str, Any]]:
    """The layers of a network, top to bottom.

    Returns
    -------
    list of dict
        ``name``, ``type``, ``output_shape`` (without the axis of images) and ``parameters``.
    """
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": [int(size) for size in layer.output.shape[1:]],
            "parameters": int(layer.count_params()),
        }
        for layer in walk_layers(model)
    ]
