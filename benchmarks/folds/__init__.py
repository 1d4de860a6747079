"""Whether the mean of networks that were trained on different folds is better than one network, and what it costs."""
