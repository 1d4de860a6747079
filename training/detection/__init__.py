"""Train Mask R-CNN: a network that finds objects as boxes, each with a score and a mask. Needs torchvision."""
