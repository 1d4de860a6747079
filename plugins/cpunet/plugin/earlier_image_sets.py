"""Free what CellProfiler still holds of image sets that are done."""

import gc
import time
from typing import Callable

# Going through all that Python holds takes as long as a small image does: 50 ms in a bare CellProfiler, more in its
# window. A twentieth of the time bounds the cost whatever the images, and what waits to be freed to a second of work.
SHARE_OF_TIME = 0.05

_not_before = float("-inf")


def free_earlier_image_sets(
    collect: Callable[[], object] = gc.collect, clock: Callable[[], float] = time.monotonic
) -> bool:
    """Let Python free the workspaces of earlier image sets, unless it did so only just now.

    A workspace of CellProfiler 4 holds a list of files that holds the workspace, and with it the images and objects of
    its image set. Python frees such circles when the number of things that it holds has grown by a quarter, however
    many gigabytes they are, which in CellProfiler is after hundreds of image sets. CellProfiler does the same after
    each module where its preference to conserve memory is set.

    Parameters
    ----------
    collect : callable
        Frees circles of things that nothing else holds.
    clock : callable
        Gives the time, in seconds.

    Returns
    -------
    bool
        Whether it did: at most `SHARE_OF_TIME` of the time goes into it.
    """
    global _not_before
    begun = clock()
    if begun < _not_before:
        return False
    collect()
    ended = clock()
    _not_before = ended + (ended - begun) * (1 / SHARE_OF_TIME - 1)
    return True
