"""What each augmentation is worth: a training with all of them, and one without each in turn."""
