"""What the network is shown in training, and what it is asked for."""
