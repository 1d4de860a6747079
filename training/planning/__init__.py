"""Plan a training run and check it before it starts."""
