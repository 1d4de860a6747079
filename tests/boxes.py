"""Label images of rectangles."""

import numpy as np


def boxes(*corners, shape=(40, 60)):
    labels = np.zeros(shape, np.int32)
    for number, (top, bottom, left, right) in enumerate(corners, start=1):
        labels[top:bottom, left:right] = number
    return labels


FIRST, SECOND, THIRD = (2, 14, 2, 14), (2, 14, 20, 32), (20, 32, 20, 32)


# One found, one missed; one invented.
TRUTH, PREDICTION = boxes(FIRST, SECOND), boxes(THIRD, FIRST)
