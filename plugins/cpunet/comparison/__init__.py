"""Both modules on the same images, and a page that shows where they differ."""
