"""Volumes with instance labels: on disk, imported and checked."""
