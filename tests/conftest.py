"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A script that starts the tests in the background makes them, and what they start, deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

PLUGIN = '''
"""Models that misbehave, to see that the runner does not."""
import os, signal, time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from leukbench.models.registry import ModelSpec


class Mean(ClassifierMixin, BaseEstimator):
    def __init__(self, mode="ok", random_state=None):
        self.mode = mode
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.mode == "spies":
            np.savez(os.environ["SPY_FOLDER"] + "/fit.npz", X=X, y=y)
        if self.mode == "raises":
            raise RuntimeError("this model always fails")
        if self.mode == "sleeps":
            time.sleep(600)
        if self.mode == "dies":
            os._exit(7)
        if self.mode == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.mode == "shouts":
            for number in (1, 2):
                os.write(number, b"\\xff{" * 2_000_000 + b"\\n")
        if self.mode == "raises_oddly":
            raise type("Odd", (Exception,), {"__reduce__": None, "__str__": lambda self: "\\udce9\\n"})()
        if self.mode == "grows":
            self.hoard = []
            while True:
                self.hoard.append(np.ones(4_000_000))
                time.sleep(0.02)
        level = X.reshape(len(X), -1).mean(axis=1)
        self.centres_ = np.array([level[y == name].mean() for name in self.classes_])
        return self

    def predict_proba(self, X):
        level = X.reshape(len(X), -1).mean(axis=1)
        if self.mode == "spies":
            np.savez(os.environ["SPY_FOLDER"] + "/predict.npz", X=X)
        if self.mode == "constant":
            out = np.zeros((len(X), len(self.classes_)))
            out[:, 0] = 1.0
            return out
        near = -np.abs(level[:, None] - self.centres_[None, :])
        out = np.exp(near - near.max(axis=1, keepdims=True))
        return out / out.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @property
    def model_(self):
        if self.mode == "undone":
            os._exit(7)
        raise AttributeError("this is no network")


def make(mode):
    return lambda **parameters: Mean(mode=mode, **parameters)


MODES = (
    "ok", "raises", "sleeps", "dies", "grows", "constant", "spies", "undone", "crashes", "shouts",
    "raises_oddly",
)
globals().update({f"make_{mode}": make(mode) for mode in MODES})
SPECS = tuple(
    ModelSpec(
        name=f"mean_{mode}", title=f"Mean ({mode})", family="classical",
        target=f"leukbench_plugin_for_tests:make_{mode}", reference="none", framework="sklearn",
        recipe="nearest mean brightness",
    )
    for mode in MODES
)
'''


def _find_data(name: str) -> Path | None:
    fallback = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("LEUKBENCH_DATA", fallback)) / name
    return folder.resolve() if folder.is_dir() else None


@pytest.fixture(scope="session")
def all_pbs() -> Path:
    """The real images, where they are."""
    folder = _find_data("all-pbs")
    if folder is None:
        pytest.skip("no real images: set LEUKBENCH_DATA to a folder that holds all-pbs")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own: nothing that a user has is read or changed."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEUKBENCH_CACHE", str(folder))
        yield folder


def draw_image(
    generator: np.random.Generator, level: int, height: int, width: int
) -> NDArray[np.uint8]:
    """A textured BGR image around a grey level."""
    noise = generator.normal(level, 18.0, size=(height, width, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5) * 1.0, 0, 255).astype(np.uint8)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a folder of classes; brightness tells the classes apart."""

    def make(
        name: str = "smears",
        classes: tuple[str, ...] = ("Benign", "Early", "Pro"),
        images: int = 12,
        suffixes: tuple[str, ...] = (".png",),
        sizes: tuple[tuple[int, int], ...] = ((40, 40),),
    ) -> Path:
        generator = np.random.default_rng(5)
        root = tmp_path / name
        for number, label in enumerate(classes):
            folder = root / label
            folder.mkdir(parents=True)
            level = 40 + 170 * number // max(1, len(classes) - 1)
            for index in range(images):
                height, width = sizes[index % len(sizes)]
                suffix = suffixes[index % len(suffixes)]
                image = draw_image(generator, level, height, width)
                data = cv2.imencode(suffix, image)[1].tobytes()
                (folder / f"cell {index:02d} é{suffix}").write_bytes(data)
        return root

    return make


@pytest.fixture
def plugin_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a plug-in with models that fail in every way, for this process and its children."""
    from leukbench.models import registry

    site = tmp_path / "plugin-site"
    facts = site / "leukbench_plugin_for_tests-1.0.dist-info"
    facts.mkdir(parents=True)
    (site / "leukbench_plugin_for_tests.py").write_text(PLUGIN, encoding="utf-8")
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: leukbench-plugin-for-tests\nVersion: 1.0\n", encoding="utf-8"
    )
    (facts / "entry_points.txt").write_text(
        "[leukbench.models]\nmeans = leukbench_plugin_for_tests\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.syspath_prepend(str(site))
    registry._registered.cache_clear()
    yield
    registry._registered.cache_clear()


LONGEST = (
    "docs/test_commands.py", "trials/test_run_all.py", "test_regression.py", "trials/test_dask.py",
    "robustness/test_slices.py", "faults/test_faults.py", "trials/test_saved_models.py",
    "score/test_comparisons.py", "trials/test_precision.py", "audit/test_alike.py",
)  # fmt: skip
"""Files that take longest: they begin first, so that no process waits for one of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
