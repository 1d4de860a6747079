"""From trained weights to one self-describing ONNX file."""

import os

# As in training/__init__.py: before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
