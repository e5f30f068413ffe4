"""Features by definition, and the classical models on awkward data."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from joblib import effective_n_jobs

from leukbench.errors import UsageError
from leukbench.machine import available_cores
from leukbench.models import registry
from leukbench.models.estimators import all_threads
from leukbench.models.features import FourierSpectrum, GreyHistogram
from leukbench.models.testing import tiny_images

CLASSICAL = [spec.name for spec in registry.specs() if spec.family == "classical"]


def random_images(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_spectrum_is_the_log_magnitude_of_the_full_transform():
    images = random_images((3, 10, 7, 1))
    found = FourierSpectrum().fit_transform(images)
    full = np.log1p(np.abs(np.fft.fft2(images[..., 0] / 255)))[:, :, : 7 // 2 + 1]
    assert found.shape == (3, 10 * 4)
    assert np.allclose(found, full.reshape(3, -1), atol=1e-5)


def test_spectrum_has_1300_numbers_at_the_papers_size():
    assert FourierSpectrum().fit_transform(random_images((2, 50, 50, 1))).shape == (2, 1300)


def test_histogram_counts_every_pixel():
    images = random_images((4, 9, 9, 1))
    found = GreyHistogram().fit_transform(images)
    expected = np.histogram(images[2], bins=256, range=(-0.5, 255.5))[0] / 81
    assert np.allclose(found[2], expected)
    assert np.allclose(found.sum(axis=1), 1)


def test_colour_becomes_grey_as_in_opencv():
    images = random_images((2, 16, 16, 3))
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])[..., None]
    difference = GreyHistogram().fit_transform(images) - GreyHistogram().fit_transform(grey)
    assert np.abs(difference).sum() <= 4 / 256  # OpenCV rounds in fixed point: a pixel or two


def test_many_images_give_the_same_as_one_by_one():
    images = random_images((600, 6, 6, 1))
    alone = np.concatenate([FourierSpectrum().fit_transform(images[i : i + 1]) for i in (0, 599)])
    assert np.array_equal(FourierSpectrum().fit_transform(images)[[0, 599]], alone)


@pytest.mark.parametrize("name", ["svm_rbf", "random_forest"])
def test_the_number_of_threads_changes_time_alone(name, monkeypatch):
    images, labels = tiny_images(classes=3)
    found = {}
    for cores in ("1", "2"):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", cores)
        with all_threads():
            assert effective_n_jobs(None) == min(int(cores), available_cores())
        model = registry.create(name, random_state=0).fit(images, labels)
        found[cores] = model.predict_proba(images)
    assert np.array_equal(found["1"], found["2"])


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("rarest", [1, 2])
def test_a_very_rare_class_is_no_obstacle(name, rarest):
    images, labels = tiny_images(classes=3)
    keep = np.concatenate([np.flatnonzero(labels < 2), np.flatnonzero(labels == 2)[:rarest]])
    model = registry.create(name, random_state=0).fit(images[keep], labels[keep])
    found = model.predict_proba(images)
    assert found.shape == (24, 3)
    assert np.allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("name", CLASSICAL)
def test_the_scaler_sees_training_images_only(name):
    images, labels = tiny_images()
    model = registry.create(name, random_state=0).fit(images[:12], labels[:12])
    features = model.named_steps["features"].transform(images[:12])
    assert np.allclose(model.named_steps["scale"].mean_, features.mean(axis=0), atol=1e-4)


def test_the_svm_keeps_its_own_predictions():
    from sklearn.base import clone

    images, labels = tiny_images(classes=3, per_class=20, seed=3)
    model = registry.create("svm_rbf", random_state=0).fit(images, labels)
    features = model[:-1].transform(images)
    own = clone(model.named_steps["model"].estimator).fit(features, labels)
    assert np.array_equal(model.predict(images), own.predict(features))


@pytest.mark.parametrize("name", ["svm_rbf", "ensemble_e3"])
def test_numbers_as_labels_give_the_probabilities_of_text_labels(name):
    images, labels = tiny_images(classes=3)
    text = registry.create(name, random_state=0).fit(images, np.array(["a", "b", "c"])[labels])
    numbers = registry.create(name, random_state=0).fit(images, 7 + 100 * labels)
    assert list(numbers.classes_) == [7, 107, 207]
    assert np.array_equal(numbers.predict_proba(images), text.predict_proba(images))


def test_features_refuse_what_is_no_image():
    with pytest.raises(UsageError, match="shape"):
        FourierSpectrum().fit(np.zeros((3, 4), dtype=np.uint8))
