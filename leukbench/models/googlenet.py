"""GoogLeNet: nine inception modules, global average pooling, auxiliary heads.

Szegedy et al. 2015, "Going Deeper with Convolutions", Table 1 and section 5. 6,998,552 parameters
at 224x224x3 and 1000 classes without the auxiliary heads, which are there in training only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

if TYPE_CHECKING:
    from leukbench.models.training.keras_classifier import KerasClassifier

SPEC = ModelSpec(
    name="googlenet",
    title="GoogLeNet",
    family="deep",
    target="leukbench.models.googlenet:build",
    reference="Szegedy et al. 2015, arXiv:1409.4842",
    framework="keras",
    recipe="He initialisation, Adam, learning rate 0.0003 falling by a cosine after a warm-up, "
    "dropout 0.4, both auxiliary heads with weight 0.3.",
    departures=(
        "The 7x7 stem has stride 2 from 96 pixels up and 1 below, so that 4x4 and not 2x2 is left "
        "of a 50x50 image at the end.",
        "The auxiliary heads average over all of their map where it is smaller than their 5x5 "
        "window.",
        "No local response normalisation.",
        "He initialisation; Adam instead of stochastic gradient descent.",
    ),
)

# Maps of the 1x1 path, the 3x3 path (reduced, then full), the 5x5 path (likewise), the pool path.
INCEPTIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def layers(
    shape: tuple[int, int, int],
    classes: int,
    auxiliary: bool = True,
    torchvision: bool = False,
) -> Any:
    """The architecture, top to bottom, for images of 32x32 or more.

    ``auxiliary`` adds the two auxiliary heads as further outputs. ``torchvision`` builds what
    torchvision's weights fit: batch normalisation instead of biases, 3x3 kernels on the 5x5 paths, a
    2x2 fourth pool (6,624,904 trainable parameters at 1000 classes).
    """
    import keras

    inputs = keras.Input(shape, dtype="uint8")
    x = keras.layers.Rescaling(1 / 255, name="scale")(inputs)
    return keras.Model(inputs, classify(x, classes, auxiliary, torchvision), name="googlenet")


def classify(x: Any, classes: int, auxiliary: bool, torchvision: bool) -> Any:
    """From scaled images to probabilities; with auxiliary heads a list, the main one first."""
    from keras import layers as L

    from leukbench.models.training import layers as blocks

    convolve = partial(blocks.convolve, bias=not torchvision)

    def pool(x: Any, name: str, kernel: int = 3, strides: int = 2) -> Any:
        return L.MaxPooling2D(kernel, strides, padding="same", name=name)(x)

    def inception(x: Any, name: str) -> Any:
        one, three_in, three, five_in, five, pooled = INCEPTIONS[name]
        name = f"inception{name}"
        paths = [
            convolve(x, one, 1, name=f"{name}_1x1"),
            convolve(convolve(x, three_in, 1, name=f"{name}_3x3_in"), three, 3, name=f"{name}_3x3"),
            convolve(
                convolve(x, five_in, 1, name=f"{name}_5x5_in"),
                five,
                3 if torchvision else 5,
                name=f"{name}_5x5",
            ),
            convolve(pool(x, f"{name}_pool", strides=1), pooled, 1, name=f"{name}_pooled"),
        ]
        return L.Concatenate(name=name)(paths)

    def head(x: Any, name: str) -> Any:
        if min(x.shape[1:3]) >= 5:
            x = L.AveragePooling2D(5, 3, name=f"{name}_pool")(x)
        else:
            x = L.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
        x = L.Flatten(name=f"{name}_flatten")(convolve(x, 128, 1, name=f"{name}_conv"))
        x = L.Dense(1024, activation="relu", kernel_initializer="he_normal", name=f"{name}_fc")(x)
        x = L.Dropout(0.7, name=f"{name}_dropout")(x)
        return L.Dense(classes, activation="softmax", dtype="float32", name=name)(x)

    stride = 2 if min(x.shape[1:3]) >= 96 else 1
    x = L.ZeroPadding2D(3, name="pad1")(x)
    x = convolve(x, 64, 7, stride, name="conv1", padding="valid")
    x = pool(x, "pool1")
    x = convolve(x, 64, 1, name="conv2_in")
    x = convolve(x, 192, 3, name="conv2")
    x = pool(x, "pool2")
    x = inception(inception(x, "3a"), "3b")
    x = pool(x, "pool3")
    first = inception(x, "4a")
    second = inception(inception(inception(first, "4b"), "4c"), "4d")
    x = inception(second, "4e")
    x = pool(x, "pool4", kernel=2 if torchvision else 3)
    x = inception(inception(x, "5a"), "5b")
    x = L.GlobalAveragePooling2D(name="average")(x)
    x = L.Dropout(0.4, name="dropout")(x)
    outputs = [L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)]
    if auxiliary:
        outputs += [head(first, "auxiliary1"), head(second, "auxiliary2")]
    return outputs if auxiliary else outputs[0]


def build(auxiliary: bool = True, **recipe: Any) -> KerasClassifier:
    """The architecture with its recipe; ``auxiliary=False`` trains without the auxiliary heads."""
    make = network_factory(
        "leukbench.models.googlenet:layers",
        options={"auxiliary": auxiliary},
        learning_rate=3e-4,
        schedule="cosine",
    )
    return make(**recipe)
