"""Read what other programs write of labels: outlines (ImageJ, QuPath, COCO) and Cellpose's own file."""
