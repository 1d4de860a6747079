"""The U-Net, its parts, its loss and its cost."""
