"""Run folders of known content for tables, figures and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from leukbench.audit.findings import KINDS, AuditReport, Finding, FoldOverlap, NullDistribution
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


def audit_of_split(folder: RunFolder, leaked: int = 5) -> dict[str, Any]:
    """An audit that finds the first test images of every fold to have a partner in training."""
    folds, findings = [], []
    for number, rows in folder.split.groupby("fold"):
        test = rows.loc[rows["part"] == "test", "image"].tolist()
        seen = rows[rows["part"] == "train"].iloc[0]
        for image in test[:leaked]:
            label = rows.loc[rows["image"] == image, "label"].iloc[0]
            findings.append(
                Finding(
                    kind="overlapping-field",
                    files=(image, seen["image"]),
                    labels=(label, seen["label"]),
                    measures={"correlation": 0.97, "share": 0.5},
                )
            )
        folds.append(
            FoldOverlap(
                fold=int(str(number)), test=len(test), identical=0, near=0, overlapping=leaked,
                leaked=leaked, clean=tuple(test[leaked:]),
            )
        )  # fmt: skip
    counts = {kind: sum(one.kind == kind for one in findings) for kind in KINDS}
    report = AuditReport(
        dataset=folder.run.dataset.name,
        fingerprint=folder.run.dataset_fingerprint,
        images=len(folder.split["image"].unique()),
        counts=counts,
        across_classes=dict.fromkeys(KINDS, 0),
        findings=tuple(findings),
        clusters=(),
        null=NullDistribution(
            pairs=100, quantiles={}, correlation_quantiles={}, threshold=0.4, rule="a rule"
        ),
        split=tuple(folds),
    )
    return report.model_dump(mode="json")


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with an audit that found five leaked test images."""
    path = tmp_path_factory.mktemp("runs") / "audited"
    folder = make_run(path, (*MODELS, PROBE), seeds=(0, 1))
    (path / "audit.json").write_text(json.dumps(audit_of_split(folder)), encoding="utf-8")
    return RunFolder(path)


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Path]:
    """A run and the folder of its images, which are coloured noise."""
    root = tmp_path_factory.mktemp("runs")
    folder = make_run(root / "run", images=60)
    rng = np.random.default_rng(0)
    for name in folder.split["image"].unique():
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    return folder, root / "images"
