"""What a network costs: its layers, parameters and arithmetic, read from the Keras model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras

from leukbench.models.registry import ModelSpec

PAPER_SHAPE = (50, 50, 1)
PAPER_CLASSES = 4


def walk_layers(model: Any) -> Iterator[Any]:
    """Every layer of a Keras model in order; those of a nested model stand where it does."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from walk_layers(layer)
        else:
            yield layer


def layer_flops(layer: Any) -> int:
    """Floating-point operations of one convolution or dense layer for one image, else 0.

    A multiply-add counts as two operations. Additions of a bias, activations, pooling and
    normalisation are left out: they are below two percent in every network here.
    """
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
    """``name``, ``type``, ``output_shape`` (of one image) and ``parameters`` of each layer in order."""
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": [int(size) for size in layer.output.shape[1:]],
            "parameters": int(layer.count_params()),
        }
        for layer in walk_layers(model)
    ]


def describe_cost(spec: ModelSpec) -> str:
    """Parameters and cost of one image of a network, at the paper's size and number of classes.

    The network is built, but not trained. Other models have no fixed number of parameters.
    """
    if spec.framework != "keras":
        return "as many as the training data make"
    if not spec.installed:
        return spec.missing
    keras.backend.clear_session()
    network = spec.factory()().build(PAPER_SHAPE, PAPER_CLASSES)
    size = "x".join(map(str, PAPER_SHAPE))
    return (
        f"{network.count_params():,} at {size} and {PAPER_CLASSES} classes, "
        f"{model_flops(network) / 1e6:,.1f} million floating-point operations an image"
    )
