"""Train a network that sees volumes."""
