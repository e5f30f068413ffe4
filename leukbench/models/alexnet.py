"""AlexNet in one column: five convolutions, two hidden layers of 4096.

Krizhevsky, Sutskever and Hinton 2012 in the single-column form of Krizhevsky 2014, "One weird trick
for parallelizing convolutional neural networks", section 5, as torchvision has it: 61,100,840
parameters at 224x224x3 and 1000 classes.
"""

from __future__ import annotations

from typing import Any

from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

SPEC = ModelSpec(
    name="alexnet",
    title="AlexNet",
    family="deep",
    target="leukbench.models.alexnet:build",
    reference="Krizhevsky et al. 2012, doi:10.1145/3065386; Krizhevsky 2014, arXiv:1404.5997",
    framework="keras",
    recipe="He initialisation, Adam, learning rate 0.0001 falling by a cosine after a warm-up, "
    "dropout 0.5 before each hidden layer.",
    departures=(
        "The single-column form of 2014: one tower instead of two, no local response "
        "normalisation.",
        "The 11x11 stem has stride 4 from 128 pixels up, 2 from 64 and 1 below: with 4 nothing "
        "would be left of a 50x50 image.",
        "The last feature map is as small as the input makes it (4x4x256 at 50x50 instead of "
        "6x6x256), and the first hidden layer has as few weights.",
        "He initialisation; Adam instead of stochastic gradient descent, no weight decay.",
    ),
)

# Width of the hidden layers.
HIDDEN = 4096


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The architecture, top to bottom, for images of 32x32 or more."""
    import keras

    inputs = keras.Input(shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255, name="scale")(inputs)
    return keras.Model(inputs, classify(x, classes), name="alexnet")


def classify(x: Any, classes: int) -> Any:
    """From scaled images to probabilities."""
    from keras import layers as L

    start = "he_normal"
    stride = stem_stride(min(x.shape[1:3]))
    x = L.ZeroPadding2D(2, name="pad1")(x)
    for number, (width, kernel, pool) in enumerate(
        ((64, 11, True), (192, 5, True), (384, 3, False), (256, 3, False), (256, 3, True)), 1
    ):
        x = L.Conv2D(
            width,
            kernel,
            strides=stride if number == 1 else 1,
            padding="valid" if number == 1 else "same",
            activation="relu",
            kernel_initializer=start,
            name=f"conv{number}",
        )(x)
        if pool:
            x = L.MaxPooling2D(3, 2, name=f"pool{number}")(x)
    x = L.Flatten(name="flatten")(x)
    for number in (6, 7):
        x = L.Dropout(0.5, name=f"dropout{number}")(x)
        x = L.Dense(HIDDEN, activation="relu", kernel_initializer=start, name=f"fc{number}")(x)
    return L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)


def stem_stride(side: int) -> int:
    """Stride of the first convolution for images whose shorter side has this many pixels."""
    return 4 if side >= 128 else 2 if side >= 64 else 1


build = network_factory("leukbench.models.alexnet:layers", learning_rate=1e-4, schedule="cosine")
