"""The web app that `up` starts answers under its own names only, and to its own pages only."""

import http.client
import os
import socket
import subprocess
import sys

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from studio.workspace import open_workspace
from tests.support.tiny_runs import end_everything
from tests.support.web_process import free_port

FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example:{port}",
    "",
    "127.0.0.1@evil.example",
    "[::1",
    "192.168.1.7:{port}",
]
OWN_HOSTS = ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"]
FOREIGN_ORIGINS = [
    "http://evil.example",
    "http://127.0.0.1:9999",
    "http://localhost:3000",
    "null",
    "http://127.0.0.1",
    "http://127.0.0.1:{port}.evil.example",
    "file://",
    "http://localhost:{port}",
]


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    home, port = tmp_path_factory.mktemp("home"), free_port()
    code = "from studio.cli.main import main; main()"
    command = [sys.executable, "-c", code, "up", "--home", str(home), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
        assert str(port) in up.stdout.readline()
        yield port
        up.terminate()
        up.wait(30)
    end_everything(open_workspace(home))


def status(port, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def opens(port, host, origin):
    """Whether the WebSocket over which every page works opens."""
    try:
        socket_to = socket.create_connection(("127.0.0.1", port))
        uri = f"ws://{host}/_stcore/stream"
        with connect(uri, sock=socket_to, origin=origin, proxy=None, open_timeout=20):
            return True
    except InvalidStatus as refused:
        assert refused.response.status_code == 403
        return False


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(port, host):
    host = host.format(port=port)
    for path in ("/", "/label", "/_stcore/health", "/_stcore/host-config", "/static/none.js"):
        assert status(port, path, Host=host) in (400, 403)
    assert status(port, "/_stcore/upload_file/a/b", "PUT", Host=host) in (400, 403)


def test_a_host_behind_a_proxy_can_be_named(tmp_path):
    port, home = free_port(), tmp_path / "home"
    command = [sys.executable, "-c", "from studio.cli.main import main; main()", "up", "--home", str(home)]
    names = {"STREAMLIT_SERVER_ALLOWED_HOSTS": "studio.example,*.news.example"}
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, text=True, env={**os.environ, **names}
    ) as up:
        assert str(port) in up.stdout.readline()
        for host, expected in (("studio.example", 200), ("a.news.example", 200), ("evil.example", 403)):
            assert status(port, Host=host) == expected
        up.terminate()
        up.wait(30)
    end_everything(open_workspace(home))


def test_dns_rebinding_gets_no_page(port):
    assert not opens(port, f"evil.example:{port}", f"http://evil.example:{port}")
    assert not opens(port, f"evil.example:{port}", None)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_refused(port, origin):
    origin = origin.format(port=port)
    assert not opens(port, f"127.0.0.1:{port}", origin)
    assert status(port, "/_stcore/host-config", Host=f"127.0.0.1:{port}", Origin=origin) == 403


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_its_own_names_and_pages_are_answered(port, host):
    host = host.format(port=port)
    assert status(port, Host=host) == 200
    assert status(port, Host=host, Origin=f"http://{host.lower()}") == 200
    assert opens(port, f"127.0.0.1:{port}", f"http://127.0.0.1:{port}")


def test_a_monitor_reads_health_and_numbers_under_the_studios_own_names_only(port):
    assert status(port, "/healthz", Host=f"127.0.0.1:{port}") == 200
    assert status(port, "/metrics", Host=f"localhost:{port}") == 200
    for path in ("/healthz", "/metrics"):
        assert status(port, path, Host="evil.example") == 403
