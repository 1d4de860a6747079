"""Review of a training: which images it finds easy and hard, and how its loss went."""
