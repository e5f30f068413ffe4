"""A newcomer adds a model as CONTRIBUTING.md says: one file, and one entry point or one list."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leukbench.models import registry
from leukbench.models.testing import check_model

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = {"newcomer_model": "nearest_images", "newcomer_network": "one_convolution"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with both examples, as `pip install` of a package with entry points leaves it."""
    entries = ["[leukbench.models]"]
    for module, name in MODELS.items():
        shutil.copy(EXAMPLES / f"{module}.py", tmp_path)
        entries.append(f"{name} = {module}")
    metadata = tmp_path / "newcomer-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: newcomer\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(entries) + "\n")
    return tmp_path


@pytest.fixture
def registered(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both examples are named in the list of built-in models."""
    monkeypatch.syspath_prepend(site)
    shutil.rmtree(site / "newcomer-1.0.dist-info")
    monkeypatch.setattr(registry, "BUILT_IN_MODULES", (*registry.BUILT_IN_MODULES, *MODELS))
    registry._registered.cache_clear()
    yield
    registry._registered.cache_clear()
    for module in MODELS:
        sys.modules.pop(module, None)


@pytest.mark.parametrize("module", MODELS)
def test_the_example_is_short(module: str) -> None:
    assert 15 <= len((EXAMPLES / f"{module}.py").read_text(encoding="utf-8").splitlines()) <= 30


@pytest.mark.usefixtures("registered")
def test_a_model_in_the_list_keeps_the_contract() -> None:
    assert [result for result in check_model("nearest_images") if not result.ok] == []


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_a_network_in_the_list_keeps_the_contract() -> None:
    assert [result for result in check_model("one_convolution") if not result.ok] == []


def test_a_model_of_an_installed_package_keeps_the_contract(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leukbench", "check-model", "nearest_images"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{Path(__file__).parents[2]}"},
    )
    assert done.stdout == "nearest_images: 11 of 11 checks hold\n", done.stderr
