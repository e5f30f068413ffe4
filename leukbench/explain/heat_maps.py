"""Where in an image a model looked: Grad-CAM for networks, occlusion for everything else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.errors import DataError
from leukbench.files import write_bytes
from leukbench.score.arrays import PROBABILITY_PREFIX

NOTICE = "Not for diagnosis."

Image = NDArray[np.uint8]
Heat = NDArray[np.float64]

MOST_MAPS = 8
_PATCHES = 8
_FOOTER = 28
_SMALLEST_SIDE = 256


def heat_map(estimator: Any, image: Image, target: int) -> tuple[Heat, str]:
    """How much each pixel speaks for a class, and the method: ``Grad-CAM`` or ``occlusion``.

    The heat has the shape (height, width), 0 (nothing) to 1 (the most in this image). The image, shape
    (height, width, channels), is preprocessed as the training images were; ``target`` is the column of
    the class in ``estimator.classes_``.
    """
    network = getattr(estimator, "model_", None)
    if network is not None:
        return grad_cam(network, image, target), "Grad-CAM"
    return occlusion(estimator, image, target), "occlusion"


def grad_cam(network: Any, image: Image, target: int) -> Heat:
    """Gradient-weighted class activation of the last layer whose maps have more than one row and column.

    Channels are weighted by the mean gradient of the class's score before the softmax, summed, and
    what speaks against the class is dropped (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74, eq. 1
    and 2). Where the network's last layer is no dense softmax, its log-probability is the score.

    ``network`` is a Keras model from uint8 images to probabilities, ``target`` a column of them. The
    image has the shape (height, width, channels); so has the result, without channels, 0 to 1.

    `DataError` where the network has no such layer.
    """
    import keras
    import tensorflow as tf

    graph = _functional(network)
    feature = next(filter(_has_rows_and_columns, reversed(_tensors(graph)[1:])), None)
    if feature is None:
        raise DataError(
            "No layer of this network has maps with rows and columns, so that there is no Grad-CAM of "
            "it: leave `explain=True` out."
        )
    last, node, _ = graph.outputs[0]._keras_history
    dense = isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax
    head = last._inbound_nodes[node].input_tensors[0] if dense else graph.outputs[0]
    watched = keras.Model(graph.inputs, [feature, head])
    with tf.GradientTape() as tape:
        activations, values = watched(tf.convert_to_tensor(image[None]), training=False)
        values = tf.cast(values, tf.float32)
        if dense:
            score = tf.reduce_sum(values[0] * last.kernel[:, target])
        else:
            score = tf.math.log(values[0, target] + 1e-12)
    gradients = tf.cast(tape.gradient(score, activations), tf.float32)
    weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
    summed = tf.reduce_sum(weights * tf.cast(activations, tf.float32), axis=-1)
    heat = np.maximum(np.asarray(summed[0], dtype=np.float64), 0.0)
    size = (image.shape[1], image.shape[0])
    return _scaled(np.asarray(cv2.resize(heat, size, interpolation=cv2.INTER_CUBIC)))


def occlusion(estimator: Any, image: Image, target: int) -> Heat:
    """How far the class's probability falls when a patch is painted over with the median.

    Patches have an eighth of the side and overlap by half (Zeiler and Fergus 2014,
    doi:10.1007/978-3-319-10590-1_53, section 4.2); a pixel gets the mean over its patches.
    """
    height, width, _ = image.shape
    patch = max(2, min(height, width) // _PATCHES)
    step = max(1, patch // 2)
    patches = [
        np.s_[top : top + patch, left : left + patch]
        for top in _starts(height, patch, step)
        for left in _starts(width, patch, step)
    ]
    painted = np.repeat(image[None], len(patches), axis=0)
    fill = np.median(image, axis=(0, 1)).astype(np.uint8)
    for number, area in enumerate(patches):
        painted[number][area] = fill
    whole = float(np.asarray(estimator.predict_proba(image[None]))[0, target])
    falls = whole - np.asarray(estimator.predict_proba(painted))[:, target]
    total, covered = np.zeros((height, width)), np.zeros((height, width))
    for fall, area in zip(falls, patches, strict=True):
        total[area] += fall
        covered[area] += 1
    return _scaled(total / covered)


def heat_maps(estimator: Any, images: NDArray[np.uint8], predictions: pd.DataFrame) -> bytes:
    """Grad-CAM for the predicted class of the first test image, by file name, of each class.

    Returns the content of an ``.npz`` file with the arrays ``images``, ``labels`` and ``predicted``
    (text), ``probability`` (of the predicted class) and ``heat`` (uint8, shape (images, height,
    width); 255 is the most in its image).
    """
    ordered = predictions.sort_values("image", kind="stable")
    rows = ordered.drop_duplicates("y_true").head(MOST_MAPS)
    columns = {str(name): number for number, name in enumerate(estimator.classes_)}
    maps = [
        grad_cam(estimator.model_, images[number], columns[label])
        for number, label in zip(rows.index.to_numpy(), rows["y_pred"], strict=True)
    ]
    probability = [float(row[PROBABILITY_PREFIX + row["y_pred"]]) for _, row in rows.iterrows()]
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        images=rows["image"].to_numpy(dtype=str),
        labels=rows["y_true"].to_numpy(dtype=str),
        predicted=rows["y_pred"].to_numpy(dtype=str),
        probability=np.array(probability),
        heat=np.rint(255 * np.stack(maps).clip(0, 1)).astype(np.uint8),
    )
    return stream.getvalue()


def write_heat_map(path: Path, picture: Image, heat: Heat, caption: str) -> None:
    """Write a PNG: the picture, the picture under the heat, below them the caption and `NOTICE`.

    The picture has the shape (height, width, 3): blue, green, red. The heat, 0 to 1, may have another
    height and width and is stretched over the picture.
    """
    scale = max(1.0, _SMALLEST_SIDE / min(picture.shape[:2]))
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    shown = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    warm = cv2.resize(np.ascontiguousarray(heat), size, interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((255 * warm.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    blended = cv2.addWeighted(shown, 0.5, colours, 0.5, 0.0)
    both = np.concatenate([shown, blended], axis=1)
    footer = np.full((2 * _FOOTER, both.shape[1], 3), 255, dtype=np.uint8)
    for number, line in enumerate((caption, NOTICE)):
        plain = line.encode("ascii", "replace").decode("ascii")
        width = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0]
        font_scale = 0.5 * min(1.0, (both.shape[1] - 12) / max(width, 1))
        corner = (6, _FOOTER * number + 19)
        cv2.putText(
            footer, plain, corner, cv2.FONT_HERSHEY_SIMPLEX, font_scale, (0, 0, 0), 1, cv2.LINE_AA
        )
    _, data = cv2.imencode(".png", np.concatenate([both, footer], axis=0))
    write_bytes(path, data.tobytes())


def _functional(network: Any) -> Any:
    """The network with one tensor a layer; a Sequential that was loaded has several."""
    import keras

    if not isinstance(network, keras.Sequential):
        return network
    inputs = keras.Input(network.input_shape[1:], dtype=network.inputs[0].dtype)
    outputs = inputs
    for layer in network.layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _tensors(graph: Any) -> list[Any]:
    """The tensors of a functional network, from first to last layer."""
    return [
        tensor
        for _, nodes in sorted(graph._nodes_by_depth.items(), reverse=True)
        for node in nodes
        for tensor in node.output_tensors
    ]


def _has_rows_and_columns(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and all(size and size > 1 for size in tensor.shape[1:3])


def _starts(length: int, patch: int, step: int) -> list[int]:
    """Where patches begin, the last one ending at the edge."""
    return sorted({*range(0, length - patch + 1, step), length - patch})


def _scaled(heat: Heat) -> Heat:
    """Negative values become 0, and the highest 1; all zero stays so."""
    heat = np.maximum(heat, 0.0)
    top = float(heat.max())
    return heat / top if top > 0 else heat
