"""How far the camera shifted between frames, by phase correlation from each frame to the last one before it."""

from __future__ import annotations

from typing import Any, Iterable, List, NamedTuple, Optional

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.signal.windows import tukey
from skimage.registration import phase_cross_correlation

from cpunet.errors import ImageError

# Shifts are found in steps of 1 / UPSAMPLING pixels.
UPSAMPLING = 10
# Bands of details that are compared, in cycles per pixel: the first where nuclei hardly move by themselves, since it is
# more exact; the second where they do. Finer details are noise, coarser ones the light, which stays with the camera.
BANDS = ((1 / 64, 1 / 6), (1 / 64, 1 / 18))
# The share of each side that is faded out, since what leaves at one edge does not come in at the other.
FADED = 0.25
# So many times better than by chance must frames agree to be believed to show the same cells.
LEAST_AGREEMENT = 1.5
SMALLEST_SIDE_PX = 32


class Shift(NamedTuple):
    """How a frame must be moved to lie on another.

    Attributes
    ----------
    y_px, x_px : float
        Downward and to the right.
    agreement : float
        How many times better the frames agree after this shift than frames with nothing in common do after the best
        of all shifts: about 1 or less for those.
    """

    y_px: float
    x_px: float
    agreement: float

    @property
    def found(self) -> bool:
        """Whether the frames agree enough to believe the shift: 1.5 times better than by chance."""
        return self.agreement >= LEAST_AGREEMENT


class FramePlace(NamedTuple):
    """How a frame of a time-lapse must be moved to lie on the first one.

    Attributes
    ----------
    y_px, x_px : float
        Downward and to the right, in all.
    step : Shift or None
        The shift to the last frame before it that could be aligned; None for the first frame.
    """

    y_px: float
    x_px: float
    step: Optional[Shift]

    @property
    def found(self) -> bool:
        """Whether the frame could be aligned; if not, it keeps the place of the frame before it."""
        return self.step is None or self.step.found


def shift_to(reference: npt.NDArray[Any], frame: npt.NDArray[Any]) -> Shift:
    """Find how a frame must be moved to lie on a reference.

    Parameters
    ----------
    reference, frame : ndarray of shape (Y, X), any real dtype
        At least 32 pixels a side.

    Returns
    -------
    Shift
        To 0.1 pixels. Shifts of more than half of a side cannot be told from those the other way.

    Raises
    ------
    ImageError
        If the shapes differ, or a side is shorter than 32 pixels.

    Notes
    -----
    Phase correlation, with the frames faded out toward their edges, on details of 6 to 64 and of 18 to 64 pixels; the
    shift after which the frames agree better is taken. Only phases count, so that bleaching and changes of the light
    between frames have no influence. How well frames agree is the mean cosine of the differences between their phases
    that are left after the shift. By chance, the largest of n such means over m frequencies is about sqrt(2 ln n / m).

    References
    ----------
    Kuglin and Hines, Proc. IEEE Int. Conf. on Cybernetics and Society, 163-165 (1975). Guizar-Sicairos, Thurman and
    Fienup, Optics Letters 33, 156-158 (2008), https://doi.org/10.1364/OL.33.000156.
    """
    return _shift_between(_phases(reference), _phases(frame))


def places_of_frames(frames: Iterable[npt.NDArray[Any]]) -> List[FramePlace]:
    """Find how each frame of a time-lapse must be moved to lie on the first one.

    Parameters
    ----------
    frames : iterable of ndarray of shape (Y, X), any real dtype
        In the order of time, all of one shape; read one after another.

    Returns
    -------
    list of FramePlace
        One for each frame; the first has no shift.

    Raises
    ------
    ImageError
        As `shift_to`.

    Notes
    -----
    Each frame is compared with the last one before it that could be aligned, since cells change less from frame to
    frame than from the first frame to the last, and the steps are added up. A frame that cannot be aligned, such as a
    dark one, keeps the place of the one before it.
    """
    places: List[FramePlace] = []
    reference, y_px, x_px = None, 0.0, 0.0
    for frame in frames:
        phases = _phases(frame)
        if reference is None:
            places.append(FramePlace(0.0, 0.0, None))
            reference = phases
            continue
        step = _shift_between(reference, phases)
        if step.found:
            y_px, x_px, reference = y_px + step.y_px, x_px + step.x_px, phases
        places.append(FramePlace(y_px, x_px, step))
    return places


def _phases(frame: npt.NDArray[Any]) -> npt.NDArray[np.complex64]:
    """Return the Fourier transform of a frame with all amplitudes 1, or 0 where there is none."""
    if frame.ndim != 2 or min(frame.shape) < SMALLEST_SIDE_PX:
        raise ImageError(
            f"a frame has the shape {frame.shape}; to be aligned it needs two axes of {SMALLEST_SIDE_PX} pixels or "
            "more."
        )
    values = np.nan_to_num(np.asarray(frame, np.float32), posinf=0, neginf=0)
    window = [tukey(size, FADED).astype(np.float32) for size in values.shape]
    spectrum = scipy.fft.fft2((values - values.mean()) * window[0][:, np.newaxis] * window[1])
    amplitudes = np.abs(spectrum)
    phases: npt.NDArray[np.complex64] = (spectrum / np.where(amplitudes > 0, amplitudes, 1)).astype(np.complex64)
    return phases


def _shift_between(reference: npt.NDArray[np.complex64], frame: npt.NDArray[np.complex64]) -> Shift:
    if reference.shape != frame.shape:
        raise ImageError(
            f"a frame has the shape {frame.shape}, and the one before it {reference.shape}; frames of a time-lapse "
            "have one shape. Sort other images out."
        )
    if not reference.any() or not frame.any():  # a frame without any structure
        return Shift(0.0, 0.0, 0.0)
    y, x = (scipy.fft.fftfreq(size) for size in reference.shape)
    frequency = np.hypot(y[:, np.newaxis], x)
    found = []
    for coarsest, finest in BANDS:
        band = (frequency >= coarsest) & (frequency <= finest)
        (y_px, x_px), *_ = phase_cross_correlation(
            np.where(band, reference, 0), np.where(band, frame, 0), upsample_factor=UPSAMPLING, space="fourier"
        )
        moved = frame[band] * np.exp(-2j * np.pi * (y[:, np.newaxis] * y_px + x * x_px)[band])
        mean = float(np.real(reference[band] * np.conj(moved)).mean())
        chance = float(np.sqrt(2 * np.log(reference.size) / np.count_nonzero(band)))
        found.append(Shift(round(float(y_px), 1), round(float(x_px), 1), mean / chance))
    return max(found, key=lambda shift: shift.agreement)
