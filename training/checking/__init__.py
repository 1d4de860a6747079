"""Look data sets over before training."""
