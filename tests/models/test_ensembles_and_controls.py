"""Ensembles, controls and the trees on histograms: what each is by definition."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.models.features import ColourHistogram, MeanAndSpread
from leukbench.models.testing import tiny_images

VOTING = ["ensemble_e1", "ensemble_e2"]


@pytest.fixture(scope="module")
def data():
    return tiny_images(classes=3, per_class=10)


@pytest.mark.parametrize("name", VOTING)
def test_members_are_those_of_the_paper(name):
    kinds = {
        "ensemble_e1": ["neighbours", "tree", "svm", "bayes"],
        "ensemble_e2": ["linear", "gaussian", "quadratic", "perceptron"],
    }
    model = registry.create(name).named_steps["model"]
    assert [member for member, _ in model.estimators] == kinds[name]


@pytest.mark.parametrize("name", VOTING)
def test_a_probability_vote_is_the_mean_of_its_members(name, data):
    model = registry.create(name, random_state=0).fit(*data)
    features = model[:-1].transform(data[0])
    members = [m.predict_proba(features) for m in model.named_steps["model"].estimators_]
    assert np.allclose(model.predict_proba(data[0]), np.mean(members, axis=0))


@pytest.mark.parametrize("name", VOTING)
def test_a_majority_vote_gives_shares_of_votes(name, data):
    images, numbers = data
    labels = np.array(["Benign", "Früh", "Pro"])[numbers]
    model = registry.create(name, random_state=0, voting="majority").fit(images, labels)
    features = model[:-1].transform(images)
    fitted = model.named_steps["model"].estimators_
    votes = np.stack([m.predict(features) for m in fitted])  # codes 0..2
    found = model.predict_proba(images)
    assert np.allclose(found[:, 1], (votes == 1).mean(axis=0))
    assert np.array_equal(model.predict(images), model.classes_[found.argmax(axis=1)])


@pytest.mark.parametrize("name", VOTING)
def test_an_unknown_kind_of_vote_is_named(name):
    with pytest.raises(UsageError, match="loudest"):
        registry.create(name, voting="loudest")


def test_the_quadratic_kernel_is_quadratic():
    svm = registry.create("ensemble_e3").named_steps["model"].estimator
    assert (svm.kernel, svm.degree, svm.coef0) == ("poly", 2, 1.0)


def test_the_majority_control_gives_the_most_frequent_class():
    images, labels = tiny_images(classes=2)
    labels = np.where(np.arange(len(labels)) < 3, "rare", "frequent")
    model = registry.create("control_majority").fit(images, labels)
    assert set(model.predict(images)) == {"frequent"}
    assert model.predict_proba(images)[0, 1] == pytest.approx(3 / 16)


def test_the_random_control_draws_in_the_shares_of_training():
    images = np.zeros((4000, 2, 2, 1), dtype=np.uint8)
    labels = np.where(np.arange(4000) < 1000, "a", "b")
    predicted = registry.create("control_stratified_random", random_state=0)
    share = np.mean(predicted.fit(images, labels).predict(images) == "a")
    assert share == pytest.approx(0.25, abs=0.03)


def test_two_numbers_are_mean_and_standard_deviation():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3), dtype=np.uint8)
    found = MeanAndSpread().fit_transform(images)
    assert np.allclose(found, [[image.mean(), image.std()] for image in images])


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_histogram_counts_channel_by_channel(channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 9, channels), dtype=np.uint8)
    found = ColourHistogram(bins=32).fit_transform(images)
    last = np.histogram(images[1, ..., -1], bins=32, range=(0, 256))[0] / 72
    assert found.shape == (3, 32 * channels)
    assert np.allclose(found[1, -32:], last)


def test_bins_that_do_not_divide_the_range_are_refused():
    with pytest.raises(UsageError, match="bins=30"):
        ColourHistogram(bins=30).fit(np.zeros((1, 2, 2, 1), dtype=np.uint8))


def test_histogram_trees_tell_classes_by_colour():
    images, labels = tiny_images(classes=2, channels=3, per_class=20)
    model = registry.create("colour_histogram_trees", random_state=0, n_estimators=20)
    model.fit(images[:20], labels[:20])
    assert np.mean(model.predict(images[20:]) == labels[20:]) > 0.8
