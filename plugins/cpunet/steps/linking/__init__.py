"""From the regions of each plane of a stack to objects: link, separate at waists, join ends, drop short ones."""
