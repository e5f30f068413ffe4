"""A classifier on the features of a network that stays as it was trained elsewhere."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from leukbench.models import efficientnet_lite0
from leukbench.models.input_images import check_images

BATCH = 32
_ITERATIONS = 2000


class LogisticOnFeatures(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression on EfficientNet-Lite0's features of images, scaled to unit variance.

    ``features_key`` tells apart networks that give other features: whoever has the features of the same
    images under the same key may pass them to `fit`. ``C`` is that of
    `sklearn.linear_model.LogisticRegression`; ``random_state`` changes nothing.

    Once fitted it has ``classes_``, ``n_parameters_`` (of the network and the regression) and ``flops_``
    (of the network, for one image).
    """

    def __init__(self, *, C: float = 1.0, random_state: int | None = None) -> None:
        self.C = C
        self.random_state = random_state

    @property
    def features_key(self) -> str:
        """The weights, and the size that they see images at."""
        return f"{efficientnet_lite0.SHA256} at {efficientnet_lite0.SIDE}"

    def image_features(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of images (n, height, width, channels), a row an image."""
        from leukbench.models.training.batches import batches

        images = check_images(X)
        network = _network(images.shape[1:], efficientnet_lite0.SIDE)
        return np.asarray(
            network.predict(batches(images, batch_size=BATCH), verbose=0), dtype=np.float32
        )

    def fit(
        self, X: NDArray[np.uint8], y: ArrayLike, features: NDArray[np.float32] | None = None
    ) -> LogisticOnFeatures:
        """Fit the regression; ``features`` are those of the images, where they are at hand."""
        from leukbench.models.training.cost import model_flops

        network = _network(check_images(X).shape[1:], efficientnet_lite0.SIDE)
        known = self.image_features(X) if features is None else features
        regression = LogisticRegression(C=self.C, max_iter=_ITERATIONS)
        self.pipeline_ = make_pipeline(StandardScaler(), regression).fit(known, np.asarray(y))
        self.classes_ = self.pipeline_.classes_
        fitted = regression.coef_.size + regression.intercept_.size
        self.n_parameters_ = int(network.count_params()) + fitted
        self.flops_ = model_flops(network)
        return self

    def predict_proba(self, X: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probabilities, shape ``(n, classes)``, in the order of ``classes_``."""
        check_is_fitted(self, "pipeline_")
        probabilities = self.pipeline_.predict_proba(self.image_features(X))
        return np.asarray(probabilities, dtype=np.float64)

    def predict(self, X: NDArray[np.uint8]) -> NDArray[Any]:
        """The most probable class of each image, as a label."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def frozen(**parameters: Any) -> LogisticOnFeatures:
    """An unfitted classifier; `UsageError` where the package of the weights is not installed."""
    efficientnet_lite0.SPECS[0].require()
    return LogisticOnFeatures(**parameters)


@lru_cache(maxsize=2)
def _network(shape: tuple[int, int, int], side: int) -> Any:
    """The network for images of a shape, which it sees ``side`` pixels wide."""
    return efficientnet_lite0.extractor(shape)
