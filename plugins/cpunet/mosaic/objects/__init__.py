"""Turn probabilities on the disk into labels on the disk, band by band of rows, with the labels of one piece."""
