"""The processes: one folder each, meeting only on the bus."""

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    # Where rich is installed structlog loads it, for tracebacks in colour, which our logs do not have: 3 MiB and a
    # fifth of a second in every worker.
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's own way to say that there is none
    import structlog  # noqa: F401 - here and now, not by whoever is first

    del sys.modules["rich"]
