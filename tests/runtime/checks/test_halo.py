import numpy as np
import scipy.ndimage

from cpunet.checks.halo import measure_halo


def sees(batch, blind_in_noise):
    """Average 41 pixels a side; nothing at all in noise, which is bright on the whole, if so asked."""
    if blind_in_noise and np.median(batch) > 0.2:
        return np.zeros_like(batch)
    return scipy.ndimage.uniform_filter(batch, (1, 1, 41, 41))


def test_the_halo_is_found_on_nuclei_where_a_network_sees_nothing_in_noise():
    """Fine-tuned on ten fields, a network said 16 for 64, and its file was refused."""
    assert measure_halo(lambda batch: sees(batch, blind_in_noise=True), 1, 4) in (20, 24)


def test_nuclei_do_not_make_a_halo_smaller():
    halo = measure_halo(lambda batch: 10 * sees(batch, blind_in_noise=False), 1, 4)
    assert halo == 24  # twenty pixels, and one more, rounded up


def test_a_network_that_looks_everywhere_ends_within_the_field():
    assert measure_halo(lambda batch: np.full_like(batch, batch.std() * 100), 1, 16) <= 512


def test_the_halo_of_a_network_of_one_size_is_measured_in_that_size_and_leaves_half_of_it():
    def only(batch):
        assert batch.shape[2:] == (96, 128)
        return 10 * sees(batch, blind_in_noise=False)

    assert measure_halo(only, 1, 4, only_shape=(96, 128)) == 24
    assert measure_halo(lambda batch: np.full_like(batch, batch.std() * 100), 1, 16, only_shape=(96, 128)) == 16
