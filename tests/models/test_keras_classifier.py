"""The wrapper that trains every network."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_score

from leukbench.errors import UsageError
from leukbench.models.testing import tiny_images
from leukbench.models.training.keras_classifier import CURVE_COLUMNS, KerasClassifier


def small_layers(shape, classes, width=8):
    import keras
    from keras import layers as L

    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            L.Rescaling(1 / 255),
            L.Conv2D(width, 5, strides=2, activation="relu"),
            L.GlobalMaxPooling2D(),
            L.Dropout(0.1),
            L.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )


def two_headed(shape, classes):
    import keras
    from keras import layers as L

    inputs = keras.Input(shape, dtype="uint8")
    x = L.Flatten()(L.AveragePooling2D(8)(L.Rescaling(1 / 255)(inputs)))
    main = L.Dense(classes, activation="softmax", dtype="float32", name="main")(x)
    extra = L.Dense(classes, activation="softmax", dtype="float32", name="extra")(x)
    return keras.Model(inputs, [main, extra])


def exploding(shape, classes):
    import keras
    from keras import layers as L

    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            L.Flatten(),
            L.Rescaling(1e38),
            L.Dense(64, kernel_initializer="ones"),
            L.Dense(classes, activation="softmax", dtype="float32"),
        ]
    )


def make(**changes):
    values = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "random_state": 0}
    return KerasClassifier(**{"layers": small_layers, **values, **changes})


@pytest.fixture(scope="module")
def data():
    images, numbers = tiny_images(classes=2, per_class=12)
    return images, np.array(["Früh", "Pro"])[numbers]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_same_seed_gives_identical_predictions(data, precision):
    first = make(precision=precision).fit(*data).predict_proba(data[0])
    again = make(precision=precision).fit(*data).predict_proba(data[0])
    other = make(precision=precision, random_state=1).fit(*data).predict_proba(data[0])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_precision_does_not_outlive_the_fit(data):
    import keras

    make(precision="mixed_bfloat16", epochs=1).fit(*data)
    assert keras.config.dtype_policy().name == "float32"


def test_it_learns_and_speaks_the_labels_of_the_user(data):
    model = make(epochs=25).fit(*data)
    assert list(model.classes_) == ["Früh", "Pro"]
    assert np.mean(model.predict(data[0]) == data[1]) > 0.9


def test_probabilities_are_float64_and_sum_to_one(data):
    found = make(precision="mixed_bfloat16").fit(*data).predict_proba(data[0])
    assert found.dtype == np.float64
    assert np.allclose(found.sum(axis=1), 1, atol=1e-12)


def test_cross_val_score_works(data):
    scores = cross_val_score(make(epochs=1), *data, cv=StratifiedKFold(2))
    assert scores.shape == (2,) and np.isfinite(scores).all()


def test_a_clone_has_the_same_parameters_and_nothing_learned(data):
    model = make(options={"width": 4}).fit(*data)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "model_")


def test_the_curve_has_a_row_an_epoch_and_names_what_was_watched(data):
    seen = []
    model = make().fit(*data, monitor_data=data, on_epoch=lambda *row: seen.append(row))
    assert tuple(model.history_.columns) == CURVE_COLUMNS
    assert list(model.history_["epoch"]) == [1, 2, 3] == [epoch for epoch, _ in seen]
    assert set(model.history_["monitored"]) == {"test"}
    assert seen[-1][1]["val_loss"] == model.history_["val_loss"].iloc[-1]


def test_without_anything_to_watch_the_val_columns_are_empty(data):
    history = make(epochs=1).fit(*data).history_
    assert history["val_loss"].isna().all() and set(history["monitored"]) == {""}


def test_watching_test_images_changes_nothing(data):
    plain = make(patience=1).fit(*data).predict_proba(data[0])
    watched = make(patience=1).fit(*data, monitor_data=data).predict_proba(data[0])
    assert np.array_equal(plain, watched)


def test_early_stopping_keeps_the_weights_of_the_best_validation_epoch(data):
    images, labels = data
    wrong = np.where(labels == "Pro", "Früh", "Pro")  # learning makes this loss rise
    model = make(epochs=20, patience=2).fit(images, labels, validation_data=(images, wrong))
    losses = model.history_["val_loss"]
    assert len(losses) < 20
    p = model.predict_proba(images)[np.arange(len(wrong)), (wrong == "Pro").astype(int)]
    assert -np.log(p).mean() == pytest.approx(losses.min(), rel=1e-3)


def test_a_loss_that_is_no_number_stops_and_is_marked(data):
    model = make(layers=exploding, epochs=5).fit(*data)
    assert model.diverged_
    assert len(model.history_) == 1
    assert np.allclose(model.predict_proba(data[0]), 0.5)


def test_auxiliary_heads_count_in_training_and_are_dropped_afterwards(data):
    model = make(layers=two_headed).fit(*data, monitor_data=data)
    assert len(model.model_.outputs) == 1
    assert model.predict_proba(data[0]).shape == (24, 2)
    assert model.history_.drop(columns="monitored").notna().all(axis=None)
    assert "extra" not in [row["name"] for row in model.layer_table_]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_cosine_schedule_ends_near_zero(data, optimizer):
    model = make(optimizer=optimizer, schedule="cosine", weight_decay=1e-4).fit(*data)
    assert float(model.model_.optimizer.learning_rate) < 0.2 * model.learning_rate


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_a_saved_network_gives_the_same_probabilities(data, tmp_path):
    model = make().fit(*data)
    loaded = make().load(model.save(tmp_path / "model.keras"), model.classes_)
    assert np.array_equal(loaded.predict_proba(data[0]), model.predict_proba(data[0]))
    assert loaded.n_parameters_ == model.n_parameters_


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adamm"},
        {"schedule": "linear"},
        {"precision": "float16"},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": -0.001},
        {"learning_rate": float("nan")},
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(data, change):
    with pytest.raises(UsageError, match=next(iter(change))):
        make(**change).fit(*data)


def test_other_images_than_uint8_are_refused(data):
    with pytest.raises(UsageError, match="float64"):
        make().fit(data[0] / 255, data[1])
    with pytest.raises(UsageError, match="shape"):
        make().fit(data[0][..., 0], data[1])


def test_a_held_out_class_without_training_images_is_named(data):
    images, labels = data
    with pytest.raises(UsageError, match="Unseen"):
        make().fit(images, labels, validation_data=(images[:1], ["Unseen"]))
