from benchmarks.speed import peers
from benchmarks.speed.fields import Wanted
from benchmarks.speed.series import matching
from cpunet.model.find import DEFAULT_MODEL


def test_a_program_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "stardist" else object())
    (said,) = peers.missing_peers()
    assert said.startswith("StarDist, untrained: the package stardist is not installed")


def test_programs_are_timed_by_network_and_the_rest(monkeypatch):
    runs = []

    def prepare(field, cores):
        runs.append((field.image.shape, cores))
        return lambda: runs.append("run") or peers._parts(2.0, 1.0)

    monkeypatch.setattr(peers, "UNTIL_THREADS_REST", 0)
    monkeypatch.setattr(peers, "PEERS", (peers.Peer("theirs", "numpy", prepare), peers.Peer("none", "not_there", None)))
    series = peers.time_in_this_process(Wanted((64, 96)), 2, DEFAULT_MODEL, rounds=3)
    assert runs == [((64, 96), 2), *["run"] * 4]
    theirs = {each.quantity: each.values for each in matching(series, method="theirs")}
    assert theirs == {"seconds": (3.0,) * 3, "network": (2.0,) * 3, "all else": (1.0,) * 3}
    ours = {each.quantity: each.values for each in matching(series, method=DEFAULT_MODEL)}
    for whole, network, rest in zip(*ours.values()):
        assert 0 < network < whole
        assert abs(network + rest - whole) < 1e-9
