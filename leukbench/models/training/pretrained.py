"""Trained weights for the networks at native size: from Keras, or converted from torchvision.

Layers are matched in order, kind and shape; the classifier's own weights are taken where the number
of classes is the same and stay random where it is another. Auxiliary heads start at random.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from leukbench.errors import DataError, UsageError
from leukbench.models.training.cost import walk_layers

Arrays = list[NDArray[Any]]

# What each Keras network is called there.
APPLICATIONS = {"vgg16": "VGG16", "vgg19": "VGG19", "mobilenet_v2": "MobileNetV2"}
# Which torchvision networks are converted.
TORCHVISION = ("alexnet", "googlenet", "vgg16", "vgg19")

# The paths of an inception module: our name, torchvision's.
_PATHS = {
    "1x1": "branch1",
    "3x3_in": "branch2.0",
    "3x3": "branch2.1",
    "5x5_in": "branch3.0",
    "5x5": "branch3.1",
    "pooled": "branch4.1",
}


def load_weights(model: Any, network: str, weights: str) -> None:
    """Put trained weights into a Keras model that was just built, at native size, as ``network``.

    ``weights`` is ``imagenet`` or the name of a file: a whole Keras model (``.keras`` or ``.h5``) in the
    form of ``keras.applications``, or torchvision's weights (``.safetensors``).

    `UsageError` where there is no such source for this network. `DataError` where a file is
    missing, unreadable or of another network, or nothing can be fetched.
    """
    path = Path(weights)
    if weights == "imagenet":
        stored = _keras_arrays(network, _fetched(network))
    elif not path.is_file():
        raise DataError(
            f"{weights} is no file: `weights` takes none, imagenet, or a .keras, .h5 or .safetensors "
            "file."
        )
    elif path.suffix == ".safetensors":
        stored = _torchvision_arrays(_weighted(model), network, path)
    elif path.suffix in (".keras", ".h5"):
        stored = _keras_arrays(network, _read_keras(path))
    else:
        raise UsageError(f"{path} is no .keras, .h5 or .safetensors file: convert it to one.")
    _put(
        _weighted(model),
        stored,
        network,
        "ImageNet's weights" if weights == "imagenet" else weights,
    )


def _fetched(network: str) -> Any:
    if network not in APPLICATIONS:
        raise UsageError(
            f"There are no ImageNet weights of {network} in keras.applications: save torchvision's "
            f"as {network}.safetensors and give that file as weights."
        )
    try:
        return getattr(keras.applications, APPLICATIONS[network])(weights="imagenet")
    except Exception as error:
        folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
        raise DataError(
            f"ImageNet's weights of {network} cannot be fetched ({_first_line(error)}): put the "
            f"file that keras.applications.{APPLICATIONS[network]} names into {folder}, or give a "
            "file as weights."
        ) from error


def _weighted(model: Any) -> list[Any]:
    """Layers with weights in order, the main classifier last and auxiliary heads left out."""
    return [
        layer
        for layer in walk_layers(model)
        if layer.weights and not layer.name.startswith("auxiliary")
    ]


def _read_keras(path: Path) -> Any:
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as a Keras model ({_first_line(error)}): save it by "
            "model.save(...)."
        ) from error


def _keras_arrays(network: str, source: Any) -> list[Arrays]:
    stored: list[Arrays] = [layer.get_weights() for layer in _weighted(source)]
    if network.startswith("vgg") and stored:
        # keras.applications feeds VGG blue, green, red; ours takes red, green, blue.
        stored[0] = [stored[0][0][:, :, ::-1, :], *stored[0][1:]]
    return stored


def _torchvision_arrays(layers: list[Any], network: str, path: Path) -> list[Arrays]:
    if network not in TORCHVISION:
        raise UsageError(
            f"{path} cannot be converted for {network}: give a .keras file, or imagenet."
        )
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise UsageError(
            f"{path} needs the package safetensors: pip install safetensors."
        ) from error
    try:
        state = load_file(path)
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as safetensors ({_first_line(error)}): write it again."
        ) from error
    if network == "googlenet":
        names = [_torch_name(layer.name) for layer in layers]
    else:
        names = sorted({name.rpartition(".")[0] for name in state}, key=_numbered)
    try:
        stored = [_torch_arrays(state, name) for name in names]
    except KeyError as error:
        raise DataError(
            f"{path} has no {error.args[0]}: save torchvision's weights of {network} there."
        ) from error
    _reorder_first_hidden(layers, stored)
    return stored


def _numbered(name: str) -> tuple[str, int]:
    """``features.10`` after ``features.8``; ``classifier`` after all ``features``."""
    part, _, number = name.partition(".")
    return ("a" if part == "features" else "b", int(number) if number.isdigit() else -1)


def _torch_name(name: str) -> str:
    """Torchvision's name of a layer of our GoogLeNet."""
    if name == "predictions":
        return "fc"
    kind = "bn" if name.endswith("_norm") else "conv"
    name = name.removesuffix("_norm")
    if match := re.fullmatch(r"inception(\d[a-e])_(.+)", name):
        return f"inception{match[1]}.{_PATHS[match[2]]}.{kind}"
    return {"conv1": "conv1", "conv2_in": "conv2", "conv2": "conv3"}[name] + f".{kind}"


def _torch_arrays(state: dict[str, NDArray[Any]], name: str) -> Arrays:
    """Arrays of one torch layer in Keras' order and layout."""
    kernel = state[f"{name}.weight"]
    if kernel.ndim == 4:
        kernel = kernel.transpose(2, 3, 1, 0)
    elif kernel.ndim == 2:
        kernel = kernel.T
    more = [state[f"{name}.bias"]] if f"{name}.bias" in state else []
    if f"{name}.running_mean" in state:
        more += [state[f"{name}.running_mean"], state[f"{name}.running_var"]]
    return [kernel, *more]


def _reorder_first_hidden(layers: list[Any], stored: list[Arrays]) -> None:
    """Torch flattens maps channel by channel, Keras pixel by pixel."""
    for number in range(1, min(len(layers), len(stored))):
        before, kernel = layers[number - 1], stored[number][0]
        if not isinstance(before, keras.layers.Conv2D) or kernel.ndim != 2:
            continue
        maps = before.output.shape[-1]
        side = round((kernel.shape[0] / maps) ** 0.5)
        if side > 1 and maps * side * side == kernel.shape[0]:
            turned = kernel.reshape(maps, side, side, -1).transpose(1, 2, 0, 3)
            stored[number][0] = turned.reshape(kernel.shape)


def _put(layers: list[Any], stored: list[Arrays], network: str, origin: str) -> None:
    """Set the weights layer by layer, once the shapes of all but the last are seen to fit."""
    if len(layers) != len(stored):
        raise DataError(
            f"{origin} has {len(stored)} layers with weights, {network} has {len(layers)}: "
            "give the weights of that network."
        )
    fitting = []
    for layer, arrays in zip(layers, stored, strict=True):
        if [w.shape for w in layer.weights] == [a.shape for a in arrays]:
            fitting.append((layer, arrays))
        elif layer is not layers[-1]:
            raise DataError(
                f"{origin} has other shapes than {network} at its layer {layer.name}: "
                "give the weights of that network."
            )
    for layer, arrays in fitting:
        layer.set_weights([np.asarray(array) for array in arrays])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
