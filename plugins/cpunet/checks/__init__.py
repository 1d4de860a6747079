"""What a model file promises, what a device gives, and fields of synthetic nuclei to check both with."""
