"""Convert images and labels from other programs to data sets in the project's layout."""
