"""The ways down, from an image to features at all resolutions: own ones, and published ones with pretrained weights."""
