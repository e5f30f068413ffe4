"""A run as MLflow runs: one parent, and under it one run a model, with parameters, metrics and files.

Everything comes from the run folder; nothing is trained, and no model is logged.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from leukbench.errors import UsageError
from leukbench.report.formats import flattened
from leukbench.report.notes import NOT_FOR_DIAGNOSIS
from leukbench.report.results import Results, rows_of
from leukbench.runfolder import RunFolder

EXPERIMENT = "leukbench"
FILES = (
    "run.json", "split.csv", "audit.json", "comparison.csv", "comparison.md", "comparison.tex",
    "classification_report.csv", "classification_report.md", "report.html",
)  # fmt: skip
_LONGEST = 500
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
_TEXT_COLUMNS = ("model", "title", "family", "status", "published_accuracy", "published_source")


def export_run(
    folder: RunFolder, *, tracking_uri: str | None = None, experiment: str = EXPERIMENT
) -> str:
    """Log a run folder to MLflow, and return the id of the parent run.

    It has the protocol as parameters and the run folder's tables and page as artifacts; each child
    has a row of ``comparison.csv`` as metrics, and the mean learning curve of a network by epoch.
    Runs are kept at `tracking_uri`, else at ``MLFLOW_TRACKING_URI``, else in ``sqlite:///mlflow.db``;
    the experiment is made if it is not there.

    `UsageError` where MLflow is not installed, or the store cannot be used.
    """
    try:
        import mlflow
    except ImportError as error:
        raise UsageError(
            'The export needs MLflow: install it with pip install "leukbench[mlflow]".'
        ) from error
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        existing = client.get_experiment_by_name(experiment)
        identity = existing.experiment_id if existing else client.create_experiment(experiment)
        return _log(mlflow, client, identity, folder)
    except mlflow.exceptions.MlflowException as error:
        why = " ".join(str(error).split())[:200]
        raise UsageError(f"`tracking_uri={uri}` cannot be used ({why}): name another.") from error


def _log(mlflow: Any, client: Any, experiment: str, folder: RunFolder) -> str:
    run = folder.run
    results = Results(folder)
    name = f"{run.dataset.name}-{run.protocol.name}"
    tags = {
        "mlflow.runName": name,
        "leukbench.version": run.leukbench_version,
        "leukbench.synthetic": str(folder.synthetic),
        "leukbench.notice": NOT_FOR_DIAGNOSIS,
    }
    parent = client.create_run(experiment, tags=tags).info.run_id
    facts = {
        "dataset": run.dataset.name,
        "dataset_fingerprint": run.dataset_fingerprint,
        "protocol_fingerprint": run.protocol_fingerprint,
        "split_sha256": run.split_sha256,
        **{
            f"protocol.{key}": value
            for key, value in flattened(run.protocol.model_dump(mode="json"))
        },
    }
    client.log_batch(parent, params=_params(mlflow, facts))
    figures = sorted((folder.path / "figures").glob("*.svg"))
    for path in (*(folder.path / name for name in FILES), *figures):
        if path.is_file():
            within = path.parent.relative_to(folder.path).as_posix()
            client.log_artifact(parent, str(path), None if within == "." else within)
    for row in rows_of(results.comparison):
        _log_model(mlflow, client, experiment, parent, row, results)
    client.set_terminated(parent)
    return str(parent)


def _log_model(
    mlflow: Any, client: Any, experiment: str, parent: str, row: Mapping[str, Any], results: Results
) -> None:
    tags = {"mlflow.parentRunId": parent, "mlflow.runName": row["model"]}
    child = client.create_run(experiment, tags=tags).info.run_id
    now = time.time_ns() // 1_000_000
    first = results.records[row["model"]][0]
    facts = {key: row[key] for key in _TEXT_COLUMNS if row[key]}
    facts |= {
        f"parameter.{key}": value for key, value in flattened(first.identity.get("parameters", {}))
    }
    metrics = [
        mlflow.entities.Metric(key, float(value), now, 0)
        for key, value in row.items()
        if key not in _TEXT_COLUMNS and _is_number(value)
    ]
    client.log_batch(child, params=_params(mlflow, facts), metrics=metrics)
    if row["model"] in results.histories:
        curves = pd.concat(results.histories[row["model"]]).replace(math.inf, math.nan)
        means = curves.groupby("epoch")[list(_CURVES)].mean()
        for column in _CURVES:
            points = [
                mlflow.entities.Metric(f"epoch_{column}", float(value), now, int(str(epoch)))
                for epoch, value in means[column].items()
                if _is_number(value)
            ]
            client.log_batch(child, metrics=points)
    ended = "FINISHED" if row["status"] == "ok" else "FAILED"
    client.set_terminated(child, status=ended)


def _params(mlflow: Any, values: Mapping[str, Any]) -> list[Any]:
    return [mlflow.entities.Param(key, str(value)[:_LONGEST]) for key, value in values.items()]


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
