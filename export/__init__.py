"""From trained weights to one self-describing ONNX file."""
