"""Cross-validation: each image is predicted by a network that was trained without it, and the networks are averaged."""
