"""Nucleus and cell segmentation with a U-Net in ONNX: the runtime behind IdentifyObjectsUNet.

Needs numpy, scipy and scikit-image in the versions that CellProfiler pins, and onnxruntime only once a
model is run.
"""

__version__ = "0.1.0"
