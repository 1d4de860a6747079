"""Merge the tables and files of pieces into what one run would have written."""
