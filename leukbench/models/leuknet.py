"""leuknet, a small reference network for colour smears.

What decides here is stain colour, chromatin texture and the size of the nucleus: a shallow stack of
3x3 convolutions keeps texture, averages over the whole field (cells lie anywhere) and has no large
hidden layer to learn fields by heart. Under 0.6 million parameters.
"""

from __future__ import annotations

from typing import Any

from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

SPEC = ModelSpec(
    name="leuknet",
    title="leuknet",
    family="reference",
    target="leukbench.models.leuknet:build",
    reference="The project's own network",
    framework="keras",
    recipe="He initialisation, AdamW, learning rate 0.003 falling by a cosine after a warm-up, "
    "weight decay 0.01, dropout 0.2, normalisation momentum 0.9; flips, quarter turns and 1 % "
    "stain jitter on training images.",
)

# Maps and stride of each convolution after the stem.
STACK = ((64, 2), (64, 1), (128, 2), (128, 1), (192, 2))


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The architecture, top to bottom, for images of 32x32 or more."""
    import keras
    from keras import layers as L

    from leukbench.models.training.layers import BatchNormalization, SmearAugmentation

    inputs = keras.Input(shape, dtype="uint8")
    x = L.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    x = SmearAugmentation(jitter=0.01, value_range=2.0, name="augment")(x)
    for number, (width, strides) in enumerate(((32, 2), *STACK), 1):
        x = L.Conv2D(
            width,
            5 if number == 1 else 3,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        x = BatchNormalization(epsilon=1e-3, name=f"norm{number}")(x)
        x = L.ReLU(name=f"relu{number}")(x)
    x = L.GlobalAveragePooling2D(name="average")(x)
    x = L.Dropout(0.2, name="dropout")(x)
    x = L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, x, name="leuknet")


build = network_factory(
    "leukbench.models.leuknet:layers",
    learning_rate=3e-3,
    optimizer="adamw",
    weight_decay=0.01,
    schedule="cosine",
)
