"""The plugin as one zip a system, for CellProfiler's installed application."""
