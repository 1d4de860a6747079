"""Tracks of CellProfiler's TrackObjects on drawn time-lapses with known tracks, with and without alignment."""
