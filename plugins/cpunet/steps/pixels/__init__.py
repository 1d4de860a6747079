"""What the pixels of an image are: channels in the units that a model reads, padding, and pixels to be filled."""
