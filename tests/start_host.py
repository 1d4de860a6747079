"""Make CellProfiler headless, and let it find the module; imported before anything else of CellProfiler's."""

import cellprofiler_core.preferences

from tests.places import REPOSITORY

cellprofiler_core.preferences.set_headless()
cellprofiler_core.preferences.set_plugin_directory(str(REPOSITORY / "plugins"), globally=False)
