"""One side of a measurement in a fresh process: ``python -m benchmarks.child module:function JSON``.

The function is called with the JSON object's values by name, and what it returns is printed as one line
of JSON. What libraries print goes to standard error. Nothing but the standard library is imported
here, so that it serves a Python without leukbench too.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module


def main() -> None:
    """Call the function that the command line names."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module, _, function = name.partition(":")
    result = getattr(import_module(module), function)(**arguments)
    answer.write(json.dumps(result) + "\n")
    answer.flush()


if __name__ == "__main__":
    main()
