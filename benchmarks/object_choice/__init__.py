"""What choosing per object among several models gains."""
