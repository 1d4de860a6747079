"""From trained weights to one self-describing ONNX file."""

import cpunet.training  # noqa: F401 - says how torch's threads wait, before torch is loaded
