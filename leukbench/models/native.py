"""The classic networks as published: images resized to native size inside the model.

Grey is repeated to three channels. Weights are random, ImageNet's, or from a file; see
`leukbench.models.training.pretrained`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from leukbench.errors import UsageError
from leukbench.models import alexnet, googlenet, mobilenet, vgg
from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

if TYPE_CHECKING:
    from leukbench.models.training.keras_classifier import KerasClassifier

SIZES = {"alexnet": 227, "googlenet": 224, "vgg16": 224, "vgg19": 224, "mobilenet_v2": 224}
CLASSIFIERS: dict[str, Callable[[Any, int], Any]] = {
    "alexnet": alexnet.classify,
    "googlenet": partial(googlenet.classify, auxiliary=True, torchvision=True),
    "vgg16": partial(vgg.classify, depth=16),
    "vgg19": partial(vgg.classify, depth=19),
    "mobilenet_v2": mobilenet.classify,
}

# Mean and standard deviation of red, green and blue in 0..255, as the weights were trained with.
_TORCHVISION = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_CAFFE = ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
_CENTRED = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))


def _spec(base: ModelSpec, departures: tuple[str, ...]) -> ModelSpec:
    size = SIZES[base.name]
    return replace(
        base,
        name=f"{base.name}_native",
        title=f"{base.title} at {size}x{size}",
        target=f"leukbench.models.native:{base.name}_native",
        recipe=base.recipe.removesuffix(".")
        + "; weights=none by default, imagenet or a file by choice (learning rate 0.0001 then).",
        published=None,
        departures=(
            f"Images are resized to {size}x{size} (bilinear) from the size of the protocol, grey "
            "repeated to three channels.",
            *departures,
        ),
        native=True,
    )


_TRAINING = "Adam and its schedule instead of the published optimiser, no weight decay."

SPECS = (
    _spec(
        alexnet.SPEC,
        (
            "The single-column form of 2014: one tower instead of two, no local response "
            "normalisation.",
            _TRAINING,
        ),
    ),
    _spec(
        googlenet.SPEC,
        (
            "As torchvision has it: batch normalisation instead of biases and local response "
            "normalisation, 3x3 kernels on the 5x5 paths, a 2x2 fourth pool.",
            _TRAINING,
        ),
    ),
    _spec(vgg.SPECS[0], (_TRAINING,)),
    _spec(vgg.SPECS[1], (_TRAINING,)),
    _spec(mobilenet.SPEC, ("Batch normalisation with momentum 0.9.", _TRAINING)),
)


def layers(shape: tuple[int, int, int], classes: int, network: str, weights: str = "none") -> Any:
    """The network at its native size, with its weights.

    ``shape`` is height, width and channels (1 or 3) of the images as the protocol makes them,
    ``network`` a key of `SIZES`, ``weights`` ``none``, ``imagenet`` or the name of a file.
    """
    import keras

    inputs, x = scaled_input(shape, SIZES[network], *normalisation(network, weights))
    outputs = CLASSIFIERS[network](x, classes)
    model = keras.Model(inputs, outputs, name=f"{network}_native")
    if weights != "none":
        from leukbench.models.training.pretrained import load_weights

        load_weights(model, network, weights)
    return model


def scaled_input(
    shape: tuple[int, int, int], side: int, mean: Sequence[float], deviation: Sequence[float]
) -> tuple[Any, Any]:
    """Input of images of this shape, and what becomes of them: side by side pixels, colour, scaled."""
    import keras
    from keras import layers as L

    inputs = keras.Input(shape, dtype="uint8")
    x = L.Rescaling(1.0, name="values")(inputs)
    # Not keras.layers.Resizing: called without `training`, it switches all that follow to training.
    x = keras.ops.image.resize(x, (side, side), interpolation="bilinear")
    if shape[2] == 1:
        x = L.Concatenate(name="grey_to_colour")([x, x, x])
    return inputs, L.Normalization(
        mean=list(mean), variance=[s * s for s in deviation], name="scale"
    )(x)


def normalisation(network: str, weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel (0..255) that go with the weights."""
    if weights.endswith(".safetensors"):
        return _TORCHVISION
    if weights != "none" and network.startswith("vgg"):
        return _CAFFE
    return _CENTRED


def _build(network: str, weights: str = "none", **changes: Any) -> KerasClassifier:
    if not weights:
        raise UsageError("`weights` is empty: use none, imagenet, or the name of a file.")
    rates = {"googlenet": 3e-4, "mobilenet_v2": 1e-3}
    make = network_factory(
        "leukbench.models.native:layers",
        options={"network": network, "weights": weights},
        learning_rate=rates.get(network, 1e-4) if weights == "none" else 1e-4,
        schedule="constant" if network == "vgg16" else "cosine",
    )
    return make(**changes)


alexnet_native = partial(_build, "alexnet")
googlenet_native = partial(_build, "googlenet")
vgg16_native = partial(_build, "vgg16")
vgg19_native = partial(_build, "vgg19")
mobilenet_v2_native = partial(_build, "mobilenet_v2")
