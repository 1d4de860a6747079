"""Score models on data sets that they were not trained on."""
