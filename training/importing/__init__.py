"""Other people's images and labels into data sets of the project's layout."""
