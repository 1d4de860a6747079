"""What options of the network, of the training and of the decoding change; in the training environment."""
