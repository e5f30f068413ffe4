"""Random changes of training images that leave the diagnosis alone; nothing else sees them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="leukbench")
class SmearAugmentation(keras.layers.Layer):  # type: ignore[misc]
    """Flips, quarter turns and a little stain jitter, image by image, in training only.

    The eight symmetries of the square come from two flips and a transposition (which only square
    images get). The jitter multiplies each channel and adds to it, as staining and lamps vary.

    Parameters
    ----------
    jitter : float
        Largest relative gain and largest offset (as a share of the range of values).
    value_range : float
        Width of the range that the images' values are in.
    """

    def __init__(self, jitter: float = 0.03, value_range: float = 1.0, **others: Any) -> None:
        super().__init__(**others)
        self.jitter = jitter
        self.value_range = value_range
        self.generator = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Change the images in training; return them as they are otherwise."""
        if not training:
            return images
        count, height, width, channels = ops.shape(images)
        images = ops.where(self._coins(count), ops.flip(images, axis=1), images)
        images = ops.where(self._coins(count), ops.flip(images, axis=2), images)
        if height == width:
            turned = ops.transpose(images, (0, 2, 1, 3))
            images = ops.where(self._coins(count), turned, images)
        gain = self._uniform((count, 1, 1, channels))
        offset = self._uniform((count, 1, 1, channels)) * self.value_range
        return images * (1 + ops.cast(gain, images.dtype)) + ops.cast(offset, images.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What Keras needs to load the layer again."""
        return {
            **super().get_config(),
            "jitter": self.jitter,
            "value_range": self.value_range,
        }

    def _coins(self, count: Any) -> Any:
        return keras.random.uniform((count, 1, 1, 1), seed=self.generator, dtype="float32") < 0.5

    def _uniform(self, shape: tuple[Any, ...]) -> Any:
        return keras.random.uniform(
            shape, -self.jitter, self.jitter, seed=self.generator, dtype="float32"
        )
