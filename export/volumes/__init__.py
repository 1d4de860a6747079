"""Networks of volumes on their way to an ONNX file: their card, their thresholds and their scores."""
