import threading

import pytest

from tests.archive_server import Server


@pytest.fixture
def server():
    """A server on this machine."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()
