"""Labels for images without a stain, made from a nuclear stain of the same cells."""
