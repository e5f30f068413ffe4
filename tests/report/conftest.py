"""Run folders of known content for tables, figures and the page."""

from __future__ import annotations

import pytest

from leukbench.runfolder import RunFolder
from tests.fake_run import CONTROL, MODELS, PROBE, FakeModel, make_run

NASTY_CLASSES = ("<b>A|B<i", "50%_&$x^2$", 'q"~`\\{é}', "血 球 #1")
NASTY_TITLE = "<script>alert('x')</script> A|B_C & 100%"


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Four models, two seeds, one split."""
    return make_run(tmp_path_factory.mktemp("runs") / "plain", seeds=(0, 1), spread=0.02)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Ranked models beside a control, a probe, a degenerate, a failed and a half-failed one."""
    models = (
        PROBE,
        FakeModel("broken", "Broken", "deep", 0.5, status="failed"),
        FakeModel("flat", "Flat", "deep", 0.3, status="degenerate"),
        FakeModel("half", "Half", "deep", 0.99, failed_seeds=(1,)),
        CONTROL,
        *MODELS,
    )
    return make_run(tmp_path_factory.mktemp("runs") / "mixed", models, seeds=(0, 1), spread=0.02)


@pytest.fixture(scope="session")
def folded(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Synthetic smears of known patients, five folds."""
    path = tmp_path_factory.mktemp("runs") / "folded"
    return make_run(
        path, (*MODELS, PROBE), folds=5, synthetic=True, groups=True, spread=0.03, name="smears"
    )


@pytest.fixture(scope="session")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Names of classes, files and models that mean something in HTML, Markdown and LaTeX."""
    models = (*MODELS, FakeModel("nasty", NASTY_TITLE, "classical", 0.6))
    return make_run(tmp_path_factory.mktemp("runs") / "nasty", models, classes=NASTY_CLASSES)
