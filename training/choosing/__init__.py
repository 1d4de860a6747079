"""Learn which of several models found an object best, from labeled images."""
