"""Write trained Mask R-CNN as one verified ONNX file. Needs torchvision."""
