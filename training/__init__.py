"""From real images and labels to the weights of a U-Net."""
