"""A network of your own: one convolution; leukbench trains it as it trains every network."""

from leukbench.models.registry import ModelSpec
from leukbench.models.training.recipe import network_factory

SPEC = ModelSpec(
    name="one_convolution",
    title="One convolution",
    family="deep",
    target="newcomer_network:build",
    reference="An example",
    framework="keras",
    recipe="Adam, learning rate 0.01.",
)


def layers(shape, classes):
    """The architecture, from uint8 images to class probabilities."""
    import keras
    from keras import layers as L

    inputs = keras.Input(shape, dtype="uint8")
    x = L.Conv2D(8, 5, strides=2, activation="relu")(L.Rescaling(1 / 255)(inputs))
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(classes, activation="softmax", dtype="float32")(x))


build = network_factory("newcomer_network:layers", learning_rate=0.01)
