"""From corrected objects to a pipeline with a model of one's own, on synthetic images."""
