"""ResNet-18: eight residual blocks of two 3x3 convolutions, for the hybrid network.

He et al. 2016, "Deep Residual Learning for Image Recognition", Table 1. 11,689,512 trainable
parameters at 224x224x3 and 1000 classes.
"""

from __future__ import annotations

from typing import Any

WIDTHS = (64, 128, 256, 512)


def features(x: Any) -> Any:
    """All but the classifier: from scaled images to 512 maps.

    Parameters
    ----------
    x : keras.KerasTensor
        Images in -1..1.
    """
    from keras import layers as L

    from leukbench.models.training.normalisation import BatchNormalization

    def convolve(x: Any, width: int, kernel: int, strides: int, name: str, relu: bool) -> Any:
        x = L.Conv2D(
            width,
            kernel,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )(x)
        x = BatchNormalization(epsilon=1e-5, name=f"{name}_norm")(x)
        return L.ReLU(name=f"{name}_relu")(x) if relu else x

    def block(x: Any, width: int, strides: int, name: str) -> Any:
        shortcut = x
        if strides > 1 or x.shape[-1] != width:
            shortcut = convolve(x, width, 1, strides, f"{name}_shortcut", relu=False)
        x = convolve(x, width, 3, strides, f"{name}_conv1", relu=True)
        x = convolve(x, width, 3, 1, f"{name}_conv2", relu=False)
        return L.ReLU(name=f"{name}_relu")(L.Add(name=f"{name}_add")([shortcut, x]))

    x = convolve(x, 64, 7, 2, "resnet_stem", relu=True)
    x = L.MaxPooling2D(3, 2, padding="same", name="resnet_pool")(x)
    for stage, width in enumerate(WIDTHS, 1):
        x = block(x, width, 1 if stage == 1 else 2, f"resnet{stage}a")
        x = block(x, width, 1, f"resnet{stage}b")
    return x


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The architecture, top to bottom, for images of 32x32 or more."""
    import keras
    from keras import layers as L

    inputs = keras.Input(shape, dtype="uint8")
    x = L.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    x = L.GlobalAveragePooling2D(name="average")(features(x))
    x = L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, x, name="resnet18")
