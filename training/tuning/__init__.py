"""Choose how probabilities become objects: thresholds and smallest sizes that suit labeled images."""
