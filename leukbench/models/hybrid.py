"""MobileNetV2 and ResNet-18 side by side, their features joined, trained end to end.

Das and Meher 2021, "An efficient deep Convolutional Neural Network based detection and
classification of Acute Lymphoblastic Leukemia", the hybrid of the paper's Table 1.
"""

from __future__ import annotations

from typing import Any

from leukbench.models.registry import QUOTED_IN_PAPER, ModelSpec, Published
from leukbench.models.training.recipe import network_factory

SPEC = ModelSpec(
    name="hybrid_mobilenet_v2_resnet18",
    title="Hybrid MobileNetV2 + ResNet-18",
    family="deep",
    target="leukbench.models.hybrid:build",
    reference="Das and Meher 2021, doi:10.1016/j.eswa.2021.115311",
    framework="keras",
    kernels="depthwise",
    recipe="He initialisation, Adam, learning rate 0.001 falling by a cosine after a warm-up, "
    "dropout 0.2, normalisation momentum 0.9.",
    published=Published("97.18", "98.52", None, "98.46", "0.97", source=QUOTED_IN_PAPER),
    departures=(
        "Both networks start from random weights instead of ImageNet's.",
        "Their averaged features (1280 and 512) are joined before one classifier; the source "
        "describes a weighting of the two by the probability that each gives.",
        "Batch normalisation with momentum 0.9, as few steps make an epoch.",
    ),
)


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The architecture, top to bottom, for images of 32x32 or more."""
    import keras
    from keras import layers as L

    from leukbench.models import mobilenet, resnet

    inputs = keras.Input(shape, dtype="uint8")
    scaled = L.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    joined = [
        L.GlobalAveragePooling2D(name=f"average_{name}")(network.features(scaled))
        for name, network in (("mobilenet", mobilenet), ("resnet", resnet))
    ]
    x = L.Dropout(0.2, name="dropout")(L.Concatenate(name="joined")(joined))
    x = L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, x, name="hybrid_mobilenet_v2_resnet18")


build = network_factory("leukbench.models.hybrid:layers", schedule="cosine")
