"""Time-lapses: which files are their frames, how the camera shifted, aligned frames, and labels frame by frame."""
