"""What the module does inside CellProfiler: the only part of the runtime that imports it."""
