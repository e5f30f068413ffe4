"""The audit finds what was planted, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from leukbench.audit.audit import audit, proxy_groups, refuse_leakage, with_split
from leukbench.audit.findings import AuditReport, Finding
from leukbench.data.dataset import Dataset
from leukbench.data.folder import load_folder
from leukbench.errors import LeakageError
from tests.audit.smears import field, folder, jpeg, png

SHIFT = (50, 20)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    wide = field(100, 160 + SHIFT[1], 160 + SHIFT[0])
    files: dict[str, bytes | np.ndarray] = {
        f"{'ab'[k % 2]}/{k:02d}.png": field(k) for k in range(24)
    }
    files["a/same-bytes.png"] = files["a/00.png"]
    files["b/same-pixels.png"] = png(field(1), compression=9)
    files["a/turned.png"] = np.ascontiguousarray(np.rot90(field(2)))
    files["b/mirrored.png"] = np.ascontiguousarray(field(3)[:, ::-1])
    files["a/recompressed.jpg"] = jpeg(field(4), 60)
    files["b/cropped.png"] = cv2.resize(field(5)[6:154, 4:152], (160, 160))
    files["a/smaller.png"] = cv2.resize(field(6), (80, 80), interpolation=cv2.INTER_AREA)
    files["b/left.png"] = wide[:160, :160]
    files["b/right.png"] = wide[SHIFT[1] :, SHIFT[0] :]
    files["a/conflict.png"] = field(7)
    return folder(tmp_path_factory.mktemp("planted"), files)


@pytest.fixture(scope="module")
def report(planted: Dataset) -> AuditReport:
    return audit(planted, jobs=1)


def one(report: AuditReport, name: str, *, kind: str | None = None) -> Finding:
    found = [
        finding
        for finding in report.findings
        if any(name in path for path in finding.files) and kind in (None, finding.kind)
    ]
    assert len(found) == 1, (name, found)
    return found[0]


@pytest.mark.parametrize(
    ("name", "partner", "kind", "note"),
    [
        ("same-bytes", "a/00.png", "identical-bytes", ""),
        ("same-pixels", "b/01.png", "identical-pixels", ""),
        ("turned", "a/02.png", "near-duplicate", "turned by 90 degrees counter-clockwise"),
        ("mirrored", "b/03.png", "near-duplicate", "mirrored left to right"),
        ("recompressed", "a/04.png", "near-duplicate", ""),
        ("cropped", "b/05.png", "near-duplicate", ""),
        ("smaller", "a/06.png", "near-duplicate", ""),
    ],
)
def test_each_copy_is_found_with_its_partner(
    report: AuditReport, name: str, partner: str, kind: str, note: str
) -> None:
    finding = one(report, name)
    assert finding.kind == kind
    assert partner in finding.files
    assert finding.note == note


def test_overlapping_fields_come_with_their_shift(report: AuditReport) -> None:
    finding = one(report, "left")
    assert (finding.kind, finding.files) == ("overlapping-field", ("b/left.png", "b/right.png"))
    measures = finding.measures
    assert (measures["shift_x"], measures["shift_y"]) == SHIFT
    assert measures["share"] == pytest.approx(110 * 140 / 160**2, abs=0.001)
    assert measures["correlation"] > 0.95


def test_the_same_content_under_two_labels_is_a_conflict(report: AuditReport) -> None:
    finding = one(report, "conflict", kind="label-conflict")
    assert set(finding.files) == {"a/conflict.png", "b/07.png"}
    assert set(finding.labels) == {"a", "b"}


def test_nothing_else_is_found(report: AuditReport) -> None:
    assert report.counts == {
        "identical-bytes": 2,
        "identical-pixels": 1,
        "near-duplicate": 5,
        "overlapping-field": 1,
        "label-conflict": 1,
        "giveaway": 0,
    }


def test_pairs_stand_well_above_the_null(report: AuditReport) -> None:
    assert report.null.pairs >= 30
    assert report.null.quantiles["1"] < report.null.threshold
    near = [f for f in report.findings if f.kind in ("near-duplicate", "overlapping-field")]
    assert min(finding.measures["statistic"] for finding in near) >= report.null.threshold


def test_the_report_survives_json_and_is_one_row_a_finding(report: AuditReport) -> None:
    again = AuditReport.model_validate(json.loads(report.model_dump_json()))
    assert again == report
    assert report.to_frame()["kind"].tolist() == [finding.kind for finding in report.findings]
    assert any("1 overlapping fields of view" in line for line in report.lines())


def test_a_second_audit_finds_the_same(planted: Dataset, report: AuditReport) -> None:
    again = audit(planted, jobs=2)
    assert again.findings == report.findings
    assert again.clusters == report.clusters


def test_proxy_groups_join_copies_and_nothing_else(planted: Dataset, report: AuditReport) -> None:
    groups = dict(zip(planted.paths, proxy_groups(report, planted), strict=True))
    assert groups["a/00.png"] == groups["a/same-bytes.png"]
    assert groups["b/left.png"] == groups["b/right.png"]
    assert len(set(groups.values())) == len(planted) - 9
    assert all(name.startswith("proxy-") for name in groups.values())


def divide(dataset: Dataset, test: set[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "fold": 0,
            "part": ["test" if path in test else "train" for path in dataset.paths],
            "image": dataset.paths,
        }
    )


def test_partners_across_the_split_are_counted(planted: Dataset, report: AuditReport) -> None:
    test = {"a/00.png", "b/left.png", "a/turned.png", "a/10.png", "b/03.png", "b/mirrored.png"}
    (fold,) = with_split(report, divide(planted, test)).split
    assert (fold.test, fold.identical, fold.near, fold.overlapping) == (6, 1, 1, 1)
    assert fold.leaked == 3
    assert set(fold.clean) == {"a/10.png", "b/03.png", "b/mirrored.png"}
    assert fold.examples == (("a/00.png", "a/same-bytes.png"),)


def test_an_identical_copy_has_its_twins_partners(tmp_path: Path) -> None:
    wide = field(5, 160, 210)
    files: dict[str, bytes | np.ndarray] = {
        f"{'ab'[k % 2]}/{k}.png": field(k) for k in range(8, 24)
    }
    files |= {"a/x.png": wide[:, :160], "a/y.png": wide[:, :160], "a/z.png": wide[:, 50:]}
    dataset = folder(tmp_path, files)
    (fold,) = audit(dataset, divide(dataset, {"a/y.png", "a/x.png"}), jobs=1).split
    assert (fold.identical, fold.overlapping, fold.leaked) == (0, 2, 2)


def test_identical_images_across_the_split_are_refused(
    planted: Dataset, report: AuditReport
) -> None:
    leaking = with_split(report, divide(planted, {"a/00.png"}))
    with pytest.raises(LeakageError, match=r"1 of 1 test images.*a/00\.png is a/same-bytes\.png"):
        refuse_leakage(leaking, allow=False)
    refuse_leakage(leaking, allow=True)
    refuse_leakage(with_split(report, divide(planted, {"b/left.png"})), allow=False)


def test_a_file_property_that_gives_the_class_away(tmp_path: Path) -> None:
    files: dict[str, bytes | np.ndarray] = {
        f"{label}/{k}.jpg": jpeg(field(2 * k + (label == "b")), quality)
        for label, quality in (("a", 70), ("b", 92))
        for k in range(20)
    }
    report = audit(folder(tmp_path, files), jobs=1)
    (finding,) = [finding for finding in report.findings if finding.kind == "giveaway"]
    assert finding.measures["accuracy"] == 1.0
    assert finding.measures["majority"] == 0.5
    assert finding.note.startswith("encoder settings alone gives 1.000")
    assert len(finding.files) == 2


def test_uniform_images_are_no_duplicates_of_each_other(tmp_path: Path) -> None:
    files: dict[str, bytes | np.ndarray] = {
        f"{'ab'[k % 2]}/{k:02d}.png": np.full((64, 64, 3), 100 + k, np.uint8) for k in range(20)
    }
    report = audit(folder(tmp_path, files), jobs=1)
    assert sum(report.counts.values()) == 0


def test_images_of_a_few_pixels_are_audited_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files: dict[str, bytes | np.ndarray] = {
        f"{'ab'[k % 2]}/{k:02d}.png": rng.integers(0, 256, (9, 7, 3), np.uint8) for k in range(12)
    }
    files["a/twin.png"] = files["b/01.png"]
    report = audit(folder(tmp_path, files), jobs=1)
    assert report.counts["identical-bytes"] == 1
    assert report.settings["images_with_few_keypoints"] == 13


@pytest.mark.realdata
def test_the_real_images(all_pbs: Path) -> None:
    dataset = load_folder(all_pbs)
    report = audit(dataset)
    identical = [finding for finding in report.findings if finding.kind == "identical-bytes"]
    assert len(identical) == 40
    assert {label for finding in identical for label in finding.labels} == {"Pro"}
    assert report.counts["overlapping-field"] >= 300
    assert not any(report.across_classes.values())
