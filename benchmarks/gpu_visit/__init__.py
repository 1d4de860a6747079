"""One visit to a machine with a GPU: train the shipped models, and prove the runtime there."""
