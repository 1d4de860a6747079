"""Prove on a machine with an NVIDIA GPU that the runtime uses it as it says."""
