"""The paper's network: three convolutions, two hidden layers.

Keerthivasan and Saranya 2023, section 3.3 and figure 5. What the text leaves open is Keras'
default: valid padding, 2x2 pooling, Glorot initialisation, Adam with learning rate 0.001.
"""

from __future__ import annotations

from typing import Any

from leukbench.models.registry import PAPER_TABLE, ModelSpec, Published
from leukbench.models.training.recipe import network_factory

SPEC = ModelSpec(
    name="modified_cnn",
    title="Modified CNN",
    family="deep",
    target="leukbench.models.modified_cnn:build",
    reference="Keerthivasan and Saranya 2023, doi:10.47392/IRJASH.2023.066",
    framework="keras",
    options={"dropout": 0.0, "learning_rate": 0.001},
    recipe="As in the paper: Adam, learning rate 0.001 (Keras' default), no dropout.",
    published=Published(
        "97.69", "0.98", "0.98", "95.3", "0.98", source=PAPER_TABLE, same_data=True
    ),
)


def layers(shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> Any:
    """The architecture, top to bottom: 203,972 parameters for 50x50x1 images and four classes.

    ``dropout`` is the share of the third pooling's outputs that each step leaves out.
    """
    import keras
    from keras import layers as L

    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            L.Rescaling(1 / 255, name="scale"),
            L.Conv2D(32, 3, activation="relu", name="conv1"),
            L.MaxPooling2D(name="pool1"),
            L.Conv2D(64, 3, activation="relu", name="conv2"),
            L.MaxPooling2D(name="pool2"),
            L.Conv2D(64, 3, activation="relu", name="conv3"),
            L.MaxPooling2D(name="pool3"),
            *([L.Dropout(dropout, name="dropout")] if dropout else []),
            L.Flatten(name="flatten"),
            L.Dense(128, activation="relu", name="hidden1"),
            L.Dense(128, activation="relu", name="hidden2"),
            L.Dense(classes, activation="softmax", dtype="float32", name="predictions"),
        ],
        name="modified_cnn",
    )


build = network_factory("leukbench.models.modified_cnn:layers", layer_options=("dropout",))
