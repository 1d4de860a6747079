"""Image files in; label images and pictures out."""
