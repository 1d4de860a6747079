"""Free what CellProfiler still holds of image sets that are done."""

import gc
import time
from typing import Callable

from cellprofiler_core.preferences import get_headless

# To go through all that Python holds takes as long as a small image does: 50 ms in a bare CellProfiler, more in its
# window. So that is done for a small part of the time only, whatever the images.
SHARE_OF_TIME = 0.02

_not_before = float("-inf")


def free_earlier_image_sets(clock: Callable[[], float] = time.monotonic) -> None:
    """Have Python free the workspaces of earlier image sets.

    A workspace of CellProfiler 4 holds a list of files that holds the workspace, and with it the images and objects of
    its image set. Python frees such circles when the number of things that it holds has grown by a quarter, however
    many gigabytes they are, which in CellProfiler is after hundreds of image sets. CellProfiler itself does the same
    after each image set where its preference to conserve memory is set.

    Parameters
    ----------
    clock : callable
        Gives the time, in seconds.

    Notes
    -----
    Python goes through all that it holds in at most `SHARE_OF_TIME` of the time. Without a window, what was there then
    is set aside (`gc.freeze`) until the next such time, the image set at work among it, and what came since is gone
    through for each image set, in a fraction of a millisecond. With a window nothing is set aside, since a window that
    is closed meanwhile would not be freed.
    """
    global _not_before
    begun = clock()
    if begun >= _not_before:
        gc.unfreeze()
        gc.collect()
        ended = clock()
        _not_before = ended + (ended - begun) * (1 / SHARE_OF_TIME - 1)
        if get_headless():
            gc.freeze()
    elif get_headless():
        gc.collect()
