"""VGG-16 and VGG-19: blocks of 3x3 convolutions, two hidden layers of 4096.

Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
Table 1, columns D and E. 138,357,544 and 143,667,240 parameters at 224x224x3 and 1000 classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukbench.models.registry import ModelSpec, Published

if TYPE_CHECKING:
    from leukbench.models.training.keras_classifier import KerasClassifier

HIDDEN = 4096
WIDTHS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

_REFERENCE = "Simonyan and Zisserman 2015, arXiv:1409.1556"
_RECIPES = {
    16: "He initialisation, Adam, learning rate 0.0001, dropout 0.5 after each hidden layer.",
    19: "He initialisation, Adam, learning rate 0.0001 falling by a cosine after a warm-up, dropout "
    "0.5 after each hidden layer.",
}
_SCHEDULES = {16: "constant", 19: "cosine"}
_DEPARTURES = (
    "The last feature map is as small as the input makes it (1x1x512 at 50x50 instead of 7x7x512), "
    "and the first hidden layer has as few weights.",
    "He initialisation instead of weights taken from a shallower trained network.",
    "Adam instead of stochastic gradient descent, no weight decay.",
)

SPECS = (
    ModelSpec(
        name="vgg16",
        title="VGG-16",
        family="deep",
        target="leukbench.models.vgg:vgg16",
        reference=_REFERENCE,
        framework="keras",
        recipe=_RECIPES[16],
        published=Published(
            accuracy="90.1",
            precision="84.88",
            recall="93.58",
            specificity="87.5",
            f1="89.01",
            source="Keerthivasan and Saranya 2023, Table 1; from another paper and other data",
        ),
        departures=_DEPARTURES,
    ),
    ModelSpec(
        name="vgg19",
        title="VGG-19",
        family="deep",
        target="leukbench.models.vgg:vgg19",
        reference=_REFERENCE,
        framework="keras",
        recipe=_RECIPES[19],
        departures=_DEPARTURES,
    ),
)


def layers(shape: tuple[int, int, int], classes: int, depth: int = 16) -> Any:
    """The architecture, top to bottom.

    Parameters
    ----------
    shape : tuple of int
        Height, width (32 or more) and channels.
    classes : int
        Number of classes.
    depth : {16, 19}
        Layers with weights.
    """
    import keras

    inputs = keras.Input(shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255, name="scale")(inputs)
    return keras.Model(inputs, classify(x, classes, depth), name=f"vgg{depth}")


def classify(x: Any, classes: int, depth: int) -> Any:
    """From scaled images to probabilities."""
    from keras import layers as L

    start = "he_normal"
    for block, (width, convolutions) in enumerate(zip(WIDTHS, CONVOLUTIONS[depth], strict=True), 1):
        for number in range(1, convolutions + 1):
            x = L.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                kernel_initializer=start,
                name=f"block{block}_conv{number}",
            )(x)
        x = L.MaxPooling2D(name=f"block{block}_pool")(x)
    x = L.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = L.Dense(HIDDEN, activation="relu", kernel_initializer=start, name=f"hidden{number}")(x)
        x = L.Dropout(0.5, name=f"dropout{number}")(x)
    return L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)


def vgg16(**recipe: Any) -> KerasClassifier:
    """Sixteen layers with weights, with the recipe."""
    return _build(16, recipe)


def vgg19(**recipe: Any) -> KerasClassifier:
    """Nineteen layers with weights, with the recipe."""
    return _build(19, recipe)


def _build(depth: int, recipe: dict[str, Any]) -> KerasClassifier:
    from leukbench.models.training.keras_classifier import KerasClassifier

    defaults = {
        "layers": "leukbench.models.vgg:layers",
        "options": {"depth": depth},
        "learning_rate": 1e-4,
        "schedule": _SCHEDULES[depth],
    }
    return KerasClassifier(**{**defaults, **recipe})
