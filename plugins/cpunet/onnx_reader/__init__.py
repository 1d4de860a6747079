"""Read an ONNX file without onnx or onnxruntime."""
