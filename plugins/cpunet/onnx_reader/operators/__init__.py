"""The operators that segmentation networks need: what each may say, how large its result is, and how much work."""
