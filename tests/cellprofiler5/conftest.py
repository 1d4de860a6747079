"""CellProfiler 5, headless, with the module among its plugins: `make test-cellprofiler5`."""

import cellprofiler_core
import pytest

if not cellprofiler_core.__version__.startswith("5."):
    pytest.exit(f"This is CellProfiler {cellprofiler_core.__version__}. Run these tests by: make test-cellprofiler5", 2)

import tests.start_host  # noqa: F401
