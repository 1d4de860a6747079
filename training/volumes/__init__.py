"""Networks that see volumes: their data, their training and their scores."""
