"""The first opening of a model file by a user: in a process of its own, and remembered if it does no harm."""
