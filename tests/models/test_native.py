"""Networks at native size: resizing inside, and weights from Keras' and torchvision's files."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.errors import DataError, UsageError
from leukbench.models import alexnet, googlenet, native, registry
from leukbench.models.training import pretrained

keras = pytest.importorskip("keras")
save_file = pytest.importorskip("safetensors.numpy").save_file

NATIVE = [spec for spec in registry.specs() if spec.native and not spec.starts_from]
KERAS_READS = pytest.mark.filterwarnings(  # Keras' own, with NumPy 2
    "ignore:__array__ implementation:DeprecationWarning"
)


def layer_output(model, name, images):
    part = keras.Model(model.inputs[0], model.get_layer(name).output)
    return np.asarray(keras.ops.convert_to_numpy(part(images, training=False)))


def random_images(channels=3, side=40, count=2):
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (count, side, side, channels), dtype=np.uint8)


def draw_array(draw, *shape):
    return draw.normal(0, 0.05, shape).astype(np.float32)


@pytest.fixture
def narrow(monkeypatch):
    """AlexNet with hidden layers of 16, so that its file is small."""
    monkeypatch.setattr(alexnet, "HIDDEN", 16)


def alexnet_state(hidden=16, classes=5, seed=1):
    """Weights under the names and in the shapes of torchvision.models.alexnet."""
    draw = np.random.default_rng(seed)
    convolutions = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3)}
    convolutions[10] = (256, 256, 3)
    state = {}
    for number, (width, maps, kernel) in convolutions.items():
        state[f"features.{number}.weight"] = draw_array(draw, width, maps, kernel, kernel)
        state[f"features.{number}.bias"] = draw_array(draw, width)
    sizes = {1: (hidden, 9216), 4: (hidden, hidden), 6: (classes, hidden)}
    for number, shape in sizes.items():
        state[f"classifier.{number}.weight"] = draw_array(draw, *shape)
        state[f"classifier.{number}.bias"] = draw_array(draw, shape[0])
    return state


def googlenet_state(seed=2):
    """Weights under the names and in the shapes of torchvision.models.googlenet."""
    draw = np.random.default_rng(seed)
    state = {}

    def block(name, width, maps, kernel):
        state[f"{name}.conv.weight"] = draw_array(draw, width, maps, kernel, kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.bn.{part}"] = np.abs(draw_array(draw, width)) + 0.5
        state[f"{name}.bn.num_batches_tracked"] = np.array(7)

    block("conv1", 64, 3, 7)
    block("conv2", 64, 64, 1)
    block("conv3", 192, 64, 3)
    maps = 192
    for name, (one, three_in, three, five_in, five, pooled) in googlenet.INCEPTIONS.items():
        block(f"inception{name}.branch1", one, maps, 1)
        block(f"inception{name}.branch2.0", three_in, maps, 1)
        block(f"inception{name}.branch2.1", three, three_in, 3)
        block(f"inception{name}.branch3.0", five_in, maps, 1)
        block(f"inception{name}.branch3.1", five, five_in, 3)
        block(f"inception{name}.branch4.1", pooled, maps, 1)
        maps = one + three + five + pooled
    state["fc.weight"], state["fc.bias"] = draw_array(draw, 1000, 1024), draw_array(draw, 1000)
    return state


def test_all_five_are_there():
    assert [spec.name for spec in NATIVE] == [
        "alexnet_native",
        "googlenet_native",
        "vgg16_native",
        "vgg19_native",
        "mobilenet_v2_native",
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_resized_inside_and_grey_is_repeated(narrow, channels):
    model = native.layers((40, 40, channels), 3, network="alexnet")
    images = random_images(channels)
    seen = layer_output(model, "scale", images)
    assert seen.shape == (2, 227, 227, 3)
    assert -1 <= seen.min() < seen.max() <= 1
    if channels == 1:
        assert np.array_equal(seen[..., 0], seen[..., 2])


def test_torchvisions_alexnet_computes_what_torch_computes(narrow, tmp_path):
    state = alexnet_state()
    save_file(state, tmp_path / "alexnet.safetensors")
    weights = str(tmp_path / "alexnet.safetensors")
    model = native.layers((40, 40, 3), 5, network="alexnet", weights=weights)
    images = random_images()
    # The first convolution at one place, by its definition (padding 2, stride 4).
    scaled = np.pad(layer_output(model, "scale", images), ((0, 0), (2, 2), (2, 2), (0, 0)))
    patch = scaled[0, 8:19, 12:23].transpose(2, 0, 1)
    value = (patch * state["features.0.weight"][7]).sum() + state["features.0.bias"][7]
    assert layer_output(model, "conv1", images)[0, 2, 3, 7] == pytest.approx(
        max(0, value), abs=1e-3
    )
    # The hidden layer sees the maps flattened channel by channel.
    maps = layer_output(model, "pool5", images)
    flat = maps.transpose(0, 3, 1, 2).reshape(2, -1)
    hidden = np.maximum(0, flat @ state["classifier.1.weight"].T + state["classifier.1.bias"])
    assert np.allclose(layer_output(model, "fc6", images), hidden, atol=1e-3)
    # As many classes: the classifier's weights are taken too.
    assert np.array_equal(
        model.get_layer("predictions").get_weights()[0], state["classifier.6.weight"].T
    )


def test_another_number_of_classes_keeps_a_random_classifier(narrow, tmp_path):
    save_file(alexnet_state(), tmp_path / "a.safetensors")
    model = native.layers(
        (40, 40, 1), 4, network="alexnet", weights=str(tmp_path / "a.safetensors")
    )
    assert model.get_layer("predictions").get_weights()[0].shape == (16, 4)


def test_torchvisions_googlenet_goes_where_it_belongs(tmp_path):
    state = googlenet_state()
    save_file(state, tmp_path / "g.safetensors")
    model = native.layers(
        (40, 40, 1), 4, network="googlenet", weights=str(tmp_path / "g.safetensors")
    )
    for ours, theirs in {
        "conv2_in": "conv2",
        "inception3a_5x5": "inception3a.branch3.1",
        "inception5b_pooled": "inception5b.branch4.1",
    }.items():
        kernel = model.get_layer(ours).get_weights()[0]
        assert np.array_equal(kernel.transpose(3, 2, 0, 1), state[f"{theirs}.conv.weight"])
        gamma, beta, mean, variance = model.get_layer(f"{ours}_norm").get_weights()
        assert np.array_equal(gamma, state[f"{theirs}.bn.weight"])
        assert np.array_equal(beta, state[f"{theirs}.bn.bias"])
        assert np.array_equal(mean, state[f"{theirs}.bn.running_mean"])
        assert np.array_equal(variance, state[f"{theirs}.bn.running_var"])


@KERAS_READS
def test_keras_mobilenet_gives_the_same_probabilities_in_ours(tmp_path):
    theirs = keras.applications.MobileNetV2(weights=None, classes=3)
    draw = np.random.default_rng(0)
    theirs.set_weights([np.abs(draw_array(draw, *w.shape)) for w in theirs.get_weights()])
    theirs.save(tmp_path / "m.keras")
    ours = native.layers(
        (224, 224, 3), 3, network="mobilenet_v2", weights=str(tmp_path / "m.keras")
    )
    images = random_images(side=224)
    expected = theirs(keras.applications.mobilenet_v2.preprocess_input(images.astype(np.float32)))
    assert np.allclose(ours(images), expected, atol=1e-4)


def test_keras_vgg_is_turned_from_blue_green_red():
    def network():
        return keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.Dense(2)]
        )

    theirs, ours = network(), network()
    stored = pretrained._keras_arrays("vgg16", theirs)
    pretrained._put(pretrained._weighted(ours), stored, "vgg16", "a test")
    pixels = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    assert np.allclose(ours(pixels), theirs(pixels[..., ::-1]), atol=1e-5)


def test_without_network_the_error_says_what_to_put_where(monkeypatch):
    def fail(**_):
        raise OSError("URL fetch failure\nand more")

    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    with pytest.raises(DataError, match=r"URL fetch failure\): put the file .* into .*models"):
        pretrained.load_weights(None, "mobilenet_v2", "imagenet")


def test_networks_that_keras_has_not_ask_for_torchvisions_file():
    with pytest.raises(UsageError, match=r"alexnet\.safetensors"):
        pretrained.load_weights(None, "alexnet", "imagenet")


@KERAS_READS
def test_unfit_files_are_named(narrow, tmp_path):
    model = native.layers((40, 40, 3), 5, network="alexnet")

    def complaint(kind, name, content=None):
        path = tmp_path / name
        if isinstance(content, dict):
            save_file(content, path)
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(kind) as caught:
            pretrained.load_weights(model, "alexnet", str(path))
        assert name in str(caught.value)
        return str(caught.value)

    assert "is no file" in complaint(DataError, "missing.keras")
    assert "convert it" in complaint(UsageError, "weights.pth", b"torch")
    assert "Keras model" in complaint(DataError, "broken.keras", b"nothing")
    assert "write it again" in complaint(DataError, "broken.safetensors", b"nothing")
    short = {name: array for name, array in alexnet_state().items() if "features.10" not in name}
    assert "7 layers" in complaint(DataError, "short.safetensors", short)
    bias_only = alexnet_state()
    del bias_only["features.3.weight"]
    assert "has no features.3.weight" in complaint(DataError, "odd.safetensors", bias_only)
    assert "fc6" in complaint(DataError, "wide.safetensors", alexnet_state(hidden=17))


def test_a_refused_file_leaves_the_network_as_it_was(narrow, tmp_path):
    model = native.layers((40, 40, 3), 5, network="alexnet")
    before = model.get_layer("conv1").get_weights()[0]
    save_file(alexnet_state(hidden=17), tmp_path / "wide.safetensors")
    with pytest.raises(DataError):
        pretrained.load_weights(model, "alexnet", str(tmp_path / "wide.safetensors"))
    assert np.array_equal(model.get_layer("conv1").get_weights()[0], before)


def test_the_scaling_goes_with_the_weights():
    assert native.normalisation("vgg16", "imagenet")[1] == (1.0, 1.0, 1.0)
    assert native.normalisation("vgg16", "x.safetensors")[0][0] == 123.675
    assert native.normalisation("mobilenet_v2", "imagenet") == native.normalisation("vgg16", "none")


@pytest.mark.slow
@KERAS_READS
def test_a_native_network_trains_and_can_be_saved(narrow, tmp_path):
    images, labels = random_images(1, count=4), np.array(["a", "b", "a", "b"])
    model = registry.create("alexnet_native", epochs=1, batch_size=4, random_state=0)
    found = model.fit(images, labels).predict_proba(images)
    loaded = registry.create("alexnet_native").load(model.save(tmp_path / "m.keras"), ["a", "b"])
    assert np.allclose(found, loaded.predict_proba(images), atol=1e-6)
