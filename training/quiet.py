"""Keep what other libraries print away from the terminal: advertisements, advice for programmers, deprecations."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Lightning prints its information, and a different advertisement at each start, through these.
LOGGERS = ("lightning", "lightning.pytorch", "lightning.fabric", "torch.onnx", "onnxscript", "onnx_ir")
MODULES = r"(lightning|lightning_utilities|torch|monai|onnxscript|onnx_ir|tensorboard)(\.|$)"


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide information and warnings of the libraries of training within the block; their errors are not touched."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=MODULES)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
