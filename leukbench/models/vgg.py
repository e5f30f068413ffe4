"""VGG-16 and VGG-19: blocks of 3x3 convolutions, two hidden layers of 4096.

Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
Table 1, columns D and E. 138,357,544 and 143,667,240 parameters at 224x224x3 and 1000 classes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from leukbench.models.registry import QUOTED_IN_PAPER, ModelSpec, Published
from leukbench.models.training.recipe import network_factory

HIDDEN = 4096
WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

_DEPARTURES = (
    "The last feature map is as small as the input makes it (1x1x512 at 50x50 instead of 7x7x512), "
    "and the first hidden layer has as few weights.",
    "He initialisation instead of weights taken from a shallower trained network.",
    "Adam instead of stochastic gradient descent, no weight decay.",
)

_spec = partial(
    ModelSpec,
    family="deep",
    reference="Simonyan and Zisserman 2015, arXiv:1409.1556",
    framework="keras",
    departures=_DEPARTURES,
)

SPECS = (
    _spec(
        name="vgg16",
        title="VGG-16",
        target="leukbench.models.vgg:vgg16",
        recipe="He initialisation, Adam, learning rate 0.0001, dropout 0.5 after each hidden layer.",
        published=Published("90.1", "84.88", "93.58", "87.5", "89.01", source=QUOTED_IN_PAPER),
    ),
    _spec(
        name="vgg19",
        title="VGG-19",
        target="leukbench.models.vgg:vgg19",
        recipe="He initialisation, Adam, learning rate 0.0001 falling by a cosine after a warm-up, "
        "dropout 0.5 after each hidden layer.",
    ),
)


def layers(shape: tuple[int, int, int], classes: int, depth: int = 16) -> Any:
    """The architecture with 16 or 19 layers that have weights, for images of 32x32 or more."""
    import keras

    inputs = keras.Input(shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255, name="scale")(inputs)
    return keras.Model(inputs, classify(x, classes, depth), name=f"vgg{depth}")


def classify(x: Any, classes: int, depth: int) -> Any:
    """From scaled images to probabilities."""
    from keras import layers as L

    convolve = partial(L.Conv2D, padding="same", activation="relu", kernel_initializer="he_normal")
    dense = partial(L.Dense, HIDDEN, activation="relu", kernel_initializer="he_normal")
    for block, (width, convolutions) in enumerate(zip(WIDTHS, CONVOLUTIONS[depth], strict=True), 1):
        for number in range(1, convolutions + 1):
            x = convolve(width, 3, name=f"block{block}_conv{number}")(x)
        x = L.MaxPooling2D(name=f"block{block}_pool")(x)
    x = L.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = dense(name=f"hidden{number}")(x)
        x = L.Dropout(0.5, name=f"dropout{number}")(x)
    return L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)


vgg16 = network_factory("leukbench.models.vgg:layers", options={"depth": 16}, learning_rate=1e-4)
vgg19 = network_factory(
    "leukbench.models.vgg:layers", options={"depth": 19}, learning_rate=1e-4, schedule="cosine"
)
