"""ResNet-18: eight residual blocks of two 3x3 convolutions, for the hybrid network.

He et al. 2016, "Deep Residual Learning for Image Recognition", Table 1. 11,689,512 trainable
parameters at 224x224x3 and 1000 classes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

WIDTHS = (64, 128, 256, 512)


def features(x: Any) -> Any:
    """All but the classifier: from images in -1..1 to 512 maps."""
    from keras import layers as L

    from leukbench.models.training import layers as blocks

    convolve = partial(blocks.convolve, epsilon=1e-5)

    def block(x: Any, width: int, strides: int, name: str) -> Any:
        shortcut = x
        if strides > 1 or x.shape[-1] != width:
            shortcut = convolve(x, width, 1, strides, name=f"{name}_shortcut", relu=False)
        x = convolve(x, width, 3, strides, name=f"{name}_conv1")
        x = convolve(x, width, 3, name=f"{name}_conv2", relu=False)
        return L.ReLU(name=f"{name}_relu")(L.Add(name=f"{name}_add")([shortcut, x]))

    x = convolve(x, 64, 7, 2, name="resnet_stem")
    x = L.MaxPooling2D(3, 2, padding="same", name="resnet_pool")(x)
    for stage, width in enumerate(WIDTHS, 1):
        x = block(x, width, 1 if stage == 1 else 2, f"resnet{stage}a")
        x = block(x, width, 1, f"resnet{stage}b")
    return x
