"""Time-lapses: which files are frames of which, how the camera shifted, and frames brought to the place of the first."""
