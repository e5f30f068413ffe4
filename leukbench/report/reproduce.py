"""The one command that makes a run again."""

from __future__ import annotations

import shlex

from leukbench.errors import UsageError
from leukbench.protocol import Protocol, builtin_protocols, load_protocol, override
from leukbench.report.results import Results


def reproduce_command(results: Results) -> str:
    """Return the command that makes the run again, from what ``run.json`` and the trials say.

    A protocol that comes with the package is named, with the options that changed it; another one is
    called ``protocol.toml``, and its values stand on the page.
    """
    run = results.folder.run
    parts = ["leukbench", "run-all"]
    if not run.dataset.synthetic:
        parts += ["--data", run.dataset.name]
    protocol = run.protocol
    parts += _protocol_options(protocol)
    tried = [name for name, records in results.records.items() if records[0].family != "probe"]
    if set(tried) != set(protocol.models or run.models):
        parts += ["--models", ",".join(tried)]
    if results.seeds and set(results.seeds) != set(protocol.seeds):
        parts += ["--seeds", ",".join(map(str, results.seeds))]
    return shlex.join(parts)


def _protocol_options(protocol: Protocol) -> list[str]:
    options = [
        ("--epochs", "training__epochs", protocol.training.epochs),
        ("--task", "task", protocol.task),
        ("--precision", "training__precision", protocol.training.precision),
    ]
    for name in (protocol.name, *builtin_protocols()):
        try:
            base = load_protocol(name)
        except UsageError:
            continue
        changed = [
            (flag, key, value)
            for flag, key, value in options
            if value != _value(base, key) and not isinstance(value, dict)
        ]
        if override(base, **{key: value for _, key, value in changed}).fingerprint == (
            protocol.fingerprint
        ):
            said = [text for flag, _, value in changed for text in (flag, str(value))]
            return ["--protocol", name, *said]
    return ["--protocol", "protocol.toml"]


def _value(protocol: Protocol, key: str) -> object:
    section, _, field = key.rpartition("__")
    return getattr(getattr(protocol, section) if section else protocol, field)
