"""Pure and mixed training sets compared: each data set alone and all together, each model scored on each set."""
