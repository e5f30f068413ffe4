"""What every model is given: uint8 images in one array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukbench.errors import UsageError


def check_images(X: Any) -> NDArray[np.uint8]:
    """Return the images, not copied: uint8, shape (n, height, width, 1 or 3).

    `UsageError` where the type or the shape is another.
    """
    images: NDArray[np.uint8] = np.asanyarray(X)
    if images.dtype != np.uint8:
        raise UsageError(f"Models take uint8 images, X is {images.dtype}: pass the pixels as read.")
    if images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape:
        raise UsageError(
            "Models take images of shape (n, height, width, 1 or 3), "
            f"X has {images.shape}: add or drop an axis."
        )
    return images
