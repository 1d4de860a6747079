"""The program CellProfiler: where it is, how it is ended, and what its log says. Needs no package."""
