"""Plan a training on volumes and check it before it starts."""
