"""Names, specs, and what listing costs."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import pytest

from leukbench.data.shortcuts import SHORTCUTS
from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.models.registry import ModelSpec

PAPER_MODELS = (
    "modified_cnn",
    "vgg16",
    "vgg19",
    "alexnet",
    "googlenet",
    "mobilenet_v2",
    "svm_rbf",
    "naive_bayes",
    "decision_tree",
    "random_forest",
)


def make_spec(**changes: object) -> ModelSpec:
    values = {
        "name": "mine",
        "title": "Mine",
        "family": "classical",
        "target": "json:loads",
        "reference": "nowhere",
        "framework": "sklearn",
        "recipe": "none",
    }
    return ModelSpec(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def fresh_registry():
    """Forget what is registered before and after."""
    registry._registered.cache_clear()
    yield
    registry._registered.cache_clear()


def test_the_models_of_the_paper_are_there_under_their_names():
    assert set(PAPER_MODELS) <= set(registry.names())


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    with pytest.raises(UsageError, match=r"'vgg61' \(did you mean vgg1[69]\?\)"):
        registry.get("vgg61")


@pytest.mark.parametrize(
    "spec", [*registry.specs(), *registry.probes()], ids=lambda spec: spec.name
)
def test_every_spec_says_what_a_table_needs(spec):
    assert spec.title and spec.reference and spec.recipe.endswith(".")
    assert all(sentence.endswith(".") for sentence in spec.departures)
    assert spec.published is None or spec.published.source


def test_probes_are_models_that_do_not_compete():
    probes = registry.probes()
    assert not {spec.name for spec in probes} & set(registry.names())
    for spec in probes:
        assert registry.get(spec.name) is spec
        assert (spec.family, spec.deterministic, spec.competes) == ("probe", True, False)
        assert spec.reads in SHORTCUTS
    assert all(spec.reads == "images" and spec.competes for spec in registry.specs())


def test_only_the_papers_own_network_was_measured_on_its_data():
    same = [spec.name for spec in registry.specs() if spec.published and spec.published.same_data]
    assert same == ["modified_cnn"]


@pytest.mark.parametrize("name", ["vgg19", "alexnet", "googlenet", "mobilenet_v2"])
def test_what_the_paper_does_not_report_is_not_invented(name):
    assert registry.get(name).published is None


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, json; from leukbench.models import registry; registry.specs();"
        "print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"tensorflow", "keras", "sklearn", "pandas", "cv2", "scipy", "matplotlib", "numpy"}
    assert not heavy & set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"family": "fancy"}, "family 'fancy'"),
        ({"framework": "torch"}, "framework 'torch'"),
        ({"target": "no_colon"}, "module:factory"),
    ],
)
def test_a_wrong_spec_is_refused_when_it_is_written(changes, complaint):
    with pytest.raises(UsageError, match=complaint):
        make_spec(**changes)


@pytest.mark.parametrize("target", ["no_such_module:build", "json:no_such_function"])
def test_a_target_that_does_not_import_is_named(target):
    with pytest.raises(UsageError, match=target):
        make_spec(target=target).factory()


def test_a_parameter_that_a_model_does_not_take_is_named():
    with pytest.raises(UsageError, match="colour_of_hat"):
        registry.create("naive_bayes", colour_of_hat="red")


class FakeEntryPoint:
    value = "plugin.module:SPEC"

    def __init__(self, name, loaded):
        self.name, self._loaded = name, loaded

    def load(self):
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def plug_in(monkeypatch, loaded):
    entry = FakeEntryPoint("plugin", loaded)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])


@pytest.mark.parametrize("form", ["spec", "tuple", "module"])
def test_a_plug_in_adds_its_models(monkeypatch, fresh_registry, form):
    spec = make_spec(name="theirs")
    module = types.SimpleNamespace(SPEC=spec)
    plug_in(monkeypatch, {"spec": spec, "tuple": (spec,), "module": module}[form])
    assert registry.get("theirs") is spec


@pytest.mark.parametrize(
    ("loaded", "complaint"),
    [
        (make_spec(name="vgg16"), "Two models are called 'vgg16'"),
        (ImportError("no torch"), "does not load .no torch."),
        (types.SimpleNamespace(), "holds no model"),
    ],
)
def test_a_broken_plug_in_is_named(monkeypatch, fresh_registry, loaded, complaint):
    plug_in(monkeypatch, loaded)
    with pytest.raises(UsageError, match=complaint):
        registry.names()


@pytest.mark.parametrize(
    "model, options, complaint",
    [
        (
            "modified_cnn",
            {"dropuot": 0.5},
            "options.modified_cnn.dropuot is unknown (did you mean dropout",
        ),
        ("modified_cnn", {"epochs": 5}, "modified_cnn has dropout, learning_rate"),
        ("naive_bayes", {"C": 1.0}, "naive_bayes has no options"),
        ("modified_cnn", {"dropout": "0.5"}, "dropout = '0.5' does not fit"),
        ("random_forest", {"n_estimators": 50.5}, "n_estimators = 50.5 does not fit"),
        ("random_forest", {"n_estimators": True}, "n_estimators = True does not fit"),
    ],
)
def test_an_option_that_a_model_does_not_have_is_refused(model, options, complaint):
    with pytest.raises(UsageError) as caught:
        registry.get(model).changed_options(options)
    assert complaint in str(caught.value)


def test_a_changed_option_is_told_with_the_recipe():
    spec = registry.get("modified_cnn")
    assert spec.recipe_with({"epochs": 3, "random_state": 0}) == spec.recipe
    assert (
        spec.recipe_with({"epochs": 3, "dropout": 0.25}) == f"{spec.recipe} Changed: dropout 0.25."
    )


def test_options_of_the_recipe_are_no_change():
    with_options = [spec for spec in registry.specs() if spec.options]
    assert {"modified_cnn", "svm_rbf", "random_forest"} <= {spec.name for spec in with_options}
    for spec in with_options:
        assert spec.changed_options(spec.options) == {}
        registry.create(spec.name, **spec.options)  # the factory takes them by name
