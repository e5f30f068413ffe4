"""What a network starts from is part of the trial's key, by content."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.errors import DataError, UsageError
from leukbench.models import efficientnet_lite0, registry
from leukbench.protocol import Protocol
from leukbench.trials.plan import TrialPlan, plan_trials

DATASET = Dataset(
    name="made",
    root=Path(),
    records=tuple(ImageRecord(f"{c}/{i}.png", c, f"{c}{i}") for c in "ab" for i in range(4)),
    synthetic=False,
    catalog=None,
    skipped=(),
)


def _plans(
    weights: str, models: tuple[str, ...] = ("alexnet_native", "alexnet")
) -> list[TrialPlan]:
    split = pd.DataFrame(
        {
            "fold": 0,
            "part": ["train", "test"] * 4,
            "image": DATASET.paths,
            "sha256": [record.sha256 for record in DATASET.records],
            "label": DATASET.labels,
            "group": "",
        }
    )
    protocol = Protocol.model_validate({"name": "made", "training": {"precision": "float32"}})
    specs = [registry.get(name) for name in models]
    return plan_trials(protocol, DATASET, split, specs, (0,), (0,), weights)


def test_a_file_counts_by_its_content_and_tells_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "trained.safetensors"
    keys = set()
    for content in (b"one", b"two", b"one"):
        file.write_bytes(content)
        native, small = _plans(str(file))
        keys.add(native.key)
        assert native.parameters["weights"] == str(file)
        assert str(tmp_path) not in str(native.identity)
        assert "weights" not in small.parameters
    assert len(keys) == 2
    assert _plans("none")[0].key not in keys
    assert _plans("none")[1].key == _plans(str(file))[1].key


def test_a_start_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`weights=.*absent\.keras` cannot be read"):
        _plans(str(tmp_path / "absent.keras"))
    with pytest.raises(UsageError, match="`models=vgg16_native`"):
        _plans("imagenet", ("alexnet", "svm_rbf"))


def test_a_pretrained_model_has_its_own_weights_in_its_key_whatever_is_chosen(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trained.safetensors"
    file.write_bytes(b"one")
    names = ("efficientnet_lite0_frozen", "efficientnet_lite0", "alexnet_native")
    frozen, tuned, other = _plans(str(file), names)
    assert [plan.key for plan in _plans("none", names)[:2]] == [frozen.key, tuned.key]
    for plan in (frozen, tuned):
        assert "weights" not in plan.parameters
        assert plan.identity["parameters"]["weights"] == f"imagenet {efficientnet_lite0.SHA256}"
    assert frozen.identity["parameters"]["frozen"] is True
    assert "frozen" not in tuned.identity["parameters"]
    assert other.identity["parameters"]["weights"].startswith("trained.safetensors ")
    with pytest.raises(UsageError, match="`models=vgg16_native`"):
        _plans("imagenet", names[:2])
