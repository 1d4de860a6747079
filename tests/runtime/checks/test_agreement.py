import numpy as np
import pytest

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.errors import DisagreementError

EXPECTED = np.full((1, 2, 10, 10), 0.5, np.float32)


def changed(place, value):
    found = EXPECTED.copy()
    found[place] = value
    return found


@pytest.mark.parametrize(("difference", "passes"), [(0.00149, True), (0.00151, False)])
def test_a_value_may_differ_by_atol_and_rtol_together(difference, passes):
    found = changed((0, 1, 2, 3), 0.5 + difference)
    if passes:
        assert check_agreement(found, EXPECTED, Tolerance(), "a and b") == pytest.approx(difference, abs=1e-6)
    else:
        with pytest.raises(
            DisagreementError, match=r"a and b disagree at 5000 .*\(0, 1, 2, 3\): 0.5015.* against 0.5000"
        ):
            check_agreement(found, EXPECTED, Tolerance(), "a and b")


def test_as_many_mismatches_a_million_as_allowed_pass():
    found = changed((0, 0, 0, 0), 1.0)
    check_agreement(found, EXPECTED, Tolerance(mismatched_per_million=5000), "a and b")
    with pytest.raises(DisagreementError):
        check_agreement(found, EXPECTED, Tolerance(mismatched_per_million=4999), "a and b")


def test_what_is_no_number_never_agrees():
    with pytest.raises(DisagreementError, match=r"\(0, 0, 4, 4\): nan"):
        check_agreement(changed((0, 0, 4, 4), np.nan), EXPECTED, Tolerance(), "a and b")


def test_shapes_must_be_the_same():
    with pytest.raises(DisagreementError, match=r"\(1, 2, 10, 10\) against \(1, 2, 10, 9\)"):
        check_agreement(EXPECTED, EXPECTED[..., :9], Tolerance(), "a and b")
