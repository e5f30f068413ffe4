"""The networks are the published ones: parameters at native size, and every size builds."""

from __future__ import annotations

import math

import pytest

from leukbench.models import alexnet, googlenet, mobilenet, modified_cnn, registry, resnet, vgg
from leukbench.models.training.cost import layer_flops, layer_table, model_flops

NETWORKS = [spec for spec in registry.specs() if spec.framework == "keras" and not spec.native]


@pytest.fixture(autouse=True)
def zero_weights(monkeypatch):
    """Shapes are what is tested here: drawing 140 million random numbers is left out."""
    import keras

    def zeros(self, shape, dtype=None):
        return keras.ops.zeros(shape, dtype)

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", zeros)


def resnet18(shape, classes):
    """One half of the hybrid with a classifier of its own."""
    import keras

    inputs = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(resnet.features(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


def trainable(network):
    return sum(math.prod(weights.shape) for weights in network.trainable_weights)


@pytest.mark.parametrize(
    ("layers", "options", "parameters"),
    [
        # Simonyan and Zisserman 2015, Table 2 (138 M and 144 M), to the unit as in torchvision.
        (vgg.layers, {"depth": 16}, 138_357_544),
        (vgg.layers, {"depth": 19}, 143_667_240),
        # torchvision.models.AlexNet_Weights, num_params.
        (alexnet.layers, {}, 61_100_840),
        # The Caffe model of Szegedy et al. without and with its auxiliary heads.
        (googlenet.layers, {"auxiliary": False}, 6_998_552),
        (googlenet.layers, {"auxiliary": True}, 13_378_280),
        # torchvision.models.GoogLeNet_Weights: 6,624,904, with auxiliary heads 13,004,888.
        (googlenet.layers, {"auxiliary": False, "torchvision": True}, 6_624_904),
        (googlenet.layers, {"auxiliary": True, "torchvision": True}, 13_004_888),
        # torchvision.models.MobileNet_V2_Weights, num_params.
        (mobilenet.layers, {}, 3_504_872),
        # torchvision.models.ResNet18_Weights, num_params.
        (resnet18, {}, 11_689_512),
    ],
)
def test_parameters_at_native_size_are_the_published_ones(layers, options, parameters):
    assert trainable(layers((224, 224, 3), 1000, **options)) == parameters


def test_running_statistics_of_mobilenet_are_those_of_keras_applications():
    assert mobilenet.layers((224, 224, 3), 1000).count_params() == 3_538_984


def test_the_hybrid_joins_both_networks_features():
    hybrid = registry.create("hybrid_mobilenet_v2_resnet18").build((224, 224, 3), 1000)
    head = (1280 + 512) * 1000 + 1000
    halves = (3_504_872 - 1_281_000) + (11_689_512 - 513_000)
    assert trainable(hybrid) == halves + head


def test_leuknet_is_small():
    assert registry.create("leuknet").build((96, 96, 3), 4).count_params() < 1_000_000


def test_modified_cnn_is_the_papers_reading():
    network = modified_cnn.layers((50, 50, 1), 4)
    assert network.count_params() == 203_972
    sizes = {row["name"]: row["output_shape"] for row in layer_table(network)}
    assert [sizes[name][0] for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "pool3")] == [
        48,
        24,
        22,
        11,
        9,
        4,
    ]
    assert sizes["flatten"] == [1024]


def test_dropout_of_the_modified_cnn_follows_the_third_pooling():
    network = registry.create("modified_cnn", dropout=0.25, epochs=1).build((50, 50, 1), 4)
    assert network.count_params() == 203_972
    names = [layer.name for layer in network.layers]
    assert names[names.index("dropout") - 1] == "pool3"
    assert network.get_layer("dropout").rate == 0.25
    plain = registry.create("modified_cnn").build((50, 50, 1), 4)
    assert "dropout" not in [layer.name for layer in plain.layers]


@pytest.mark.parametrize("shape", [(32, 32, 1), (50, 50, 1), (299, 240, 3)], ids=str)
@pytest.mark.parametrize("spec", NETWORKS, ids=lambda spec: spec.name)
def test_every_network_builds_for_every_size(spec, shape):
    network = spec.factory()().build(shape, 20)
    assert network.outputs[0].shape == (None, 20)
    assert network.outputs[0].dtype == "float32"
    assert min(min(layer["output_shape"]) for layer in layer_table(network)) >= 1


def test_flops_are_two_for_each_multiply_add():
    # By hand for 50x50x1: three convolutions, three dense layers.
    expected = 2 * (
        48 * 48 * 32 * 9
        + 22 * 22 * 64 * 9 * 32
        + 9 * 9 * 64 * 9 * 64
        + 1024 * 128
        + 128 * 128
        + 128 * 4
    )
    assert model_flops(modified_cnn.layers((50, 50, 1), 4)) == expected


def test_flops_of_mobilenet_are_the_published_ones():
    # Sandler et al. 2018, Table 4: 300 M multiply-adds.
    assert model_flops(mobilenet.layers((224, 224, 3), 1000)) / 2e6 == pytest.approx(300, rel=0.01)


def test_a_pool_costs_no_multiply_add():
    network = modified_cnn.layers((50, 50, 1), 4)
    assert layer_flops(network.get_layer("pool1")) == 0
