"""Find the settings with which a model draws objects as in a few labeled images, and write them into its card."""
