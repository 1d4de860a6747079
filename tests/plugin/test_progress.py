"""Progress is reported between tiles, where the work can be stopped."""

import pytest

from cpunet.checks.synthetic import synthetic_field


def test_progress_stops_where_the_user_stops_it(module, run, monkeypatch):
    told = []

    def stop(what, log=None):
        def progress(done, total):
            told.append((done, total))
            if done == 2:
                raise RuntimeError("stopped")

        return progress

    monkeypatch.setattr("cpunet.plugin.progress.log_progress", stop)
    module.advanced.value, module.rescale.value = True, "Off"
    module.advanced_settings.tiles_automatic.value = False
    module.advanced_settings.tile_px.value = 64
    with pytest.raises(RuntimeError, match="stopped"):
        run(module, synthetic_field((256, 256)).image)
    assert told == [(0, 16), (1, 16), (2, 16)]
