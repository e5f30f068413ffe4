"""MobileNetV2: seventeen inverted residuals with linear bottlenecks.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", Table 2. 3,504,872
trainable parameters at 224x224x3 and 1000 classes, and 34,112 running means and variances.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

SPEC = ModelSpec(
    name="mobilenet_v2",
    title="MobileNetV2",
    family="deep",
    target="leukbench.models.mobilenet:build",
    reference="Sandler et al. 2018, arXiv:1801.04381",
    framework="keras",
    kernels="depthwise",
    recipe="He initialisation, Adam, learning rate 0.001 falling by a cosine after a warm-up, "
    "dropout 0.2, normalisation momentum 0.9.",
    departures=(
        "All strides are the published ones: 2x2 instead of 7x7 is left of a 50x50 image at the end.",
        "Batch normalisation with momentum 0.9: with the usual 0.99 its running means lag behind "
        "where an epoch has forty steps.",
        "Adam with a cosine schedule instead of RMSProp with decay, no weight decay.",
    ),
)

# Expansion, maps, repetitions, stride of the first: Table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def features(x: Any, stages: Sequence[tuple[int, int, int, int, int]] | None = None) -> Any:
    """All but the classifier: from images in -1..1 to 1280 maps.

    ``stages`` are those of another network of such blocks, with the kernel size of each in the end.
    """
    from keras import layers as L

    from leukbench.models.training import layers as blocks

    convolve = partial(blocks.convolve, ceiling=6.0)
    x = convolve(x, 32, 3, 2, name="stem")
    number = 0
    chosen = [(*stage, 3) for stage in STAGES] if stages is None else stages
    for expansion, width, repetitions, stride, kernel in chosen:
        for repetition in range(repetitions):
            number += 1
            name = f"block{number}"
            strides = stride if repetition == 0 else 1
            before, maps = x, x.shape[-1]
            if expansion > 1:
                x = convolve(x, maps * expansion, 1, name=f"{name}_expand")
            x = L.DepthwiseConv2D(
                kernel,
                strides=strides,
                padding="same",
                use_bias=False,
                depthwise_initializer="he_normal",
                name=f"{name}_depthwise",
            )(x)
            x = blocks.normalise(x, f"{name}_depthwise", ceiling=6.0)
            x = convolve(x, width, 1, name=f"{name}_project", relu=False)
            if strides == 1 and maps == width:
                x = L.Add(name=f"{name}_add")([before, x])
    return convolve(x, 1280, 1, name="last")


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The architecture, top to bottom, for images of 32x32 or more."""
    import keras

    inputs = keras.Input(shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    return keras.Model(inputs, classify(x, classes), name="mobilenet_v2")


def classify(x: Any, classes: int) -> Any:
    """From scaled images to probabilities."""
    from keras import layers as L

    x = L.GlobalAveragePooling2D(name="average")(features(x))
    x = L.Dropout(0.2, name="dropout")(x)
    return L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)


build = network_factory("leukbench.models.mobilenet:layers", schedule="cosine")
