"""The paper's network: three convolutions, two hidden layers.

Keerthivasan and Saranya 2023, section 3.3 and figure 5. What the text leaves open is Keras'
default: valid padding, 2x2 pooling, Glorot initialisation, Adam with learning rate 0.001.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukbench.models.registry import ModelSpec, Published

if TYPE_CHECKING:
    from leukbench.models.training.keras_classifier import KerasClassifier

SPEC = ModelSpec(
    name="modified_cnn",
    title="Modified CNN",
    family="deep",
    target="leukbench.models.modified_cnn:build",
    reference="Keerthivasan and Saranya 2023, doi:10.47392/IRJASH.2023.066",
    framework="keras",
    recipe="As in the paper: Adam, learning rate 0.001 (Keras' default), no dropout.",
    published=Published(
        accuracy="97.69",
        precision="0.98",
        recall="0.98",
        specificity="95.3",
        f1="0.98",
        source="Keerthivasan and Saranya 2023, Table 1",
        same_data=True,
    ),
)


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The architecture, top to bottom: 203,972 parameters for 50x50x1 images and four classes."""
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
            L.Flatten(name="flatten"),
            L.Dense(128, activation="relu", name="hidden1"),
            L.Dense(128, activation="relu", name="hidden2"),
            L.Dense(classes, activation="softmax", dtype="float32", name="predictions"),
        ],
        name="modified_cnn",
    )


def build(**recipe: Any) -> KerasClassifier:
    """The architecture with its recipe."""
    from leukbench.models.training.keras_classifier import KerasClassifier

    return KerasClassifier(**{"layers": "leukbench.models.modified_cnn:layers", **recipe})
