"""What real microscopes do to images of nuclei, and what it costs each method."""
