"""The web app that `up` starts answers under its own names only, and to its own pages only."""

import http.client
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from studio.accounts.access import cookie_name, cookie_of_token
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


@contextmanager
def studio(home, port, **environment):
    command = [sys.executable, "-c", "from studio.cli.main import main; main()", "up", "--home", str(home)]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as up:
        try:
            assert str(port) in up.stdout.readline()
            yield
        finally:
            up.terminate()
            up.wait(30)
    end_everything(open_workspace(home))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def port(home):
    port = free_port()
    with studio(home, port):
        yield port


@pytest.fixture
def cookie(home, port):
    """What somebody has who came by the link: what is refused here is refused for its address alone."""
    return f"{cookie_name(port)}={cookie_of_token(open_workspace(home))}"


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


def opens(port, host, origin, cookie):
    """Whether the WebSocket over which every page works opens."""
    try:
        socket_to = socket.create_connection(("127.0.0.1", port))
        uri = f"ws://{host}/_stcore/stream"
        headers = {"Cookie": cookie}
        with connect(
            uri, sock=socket_to, origin=origin, additional_headers=headers, proxy=None, open_timeout=20
        ):
            return True
    except InvalidStatus as refused:
        assert refused.response.status_code == 403
        return False


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(port, host, cookie):
    host = host.format(port=port)
    for path in ("/", "/label", "/_stcore/health", "/_stcore/host-config", "/static/none.js"):
        assert status(port, path, Host=host, Cookie=cookie) in (400, 403)
    assert status(port, "/_stcore/upload_file/a/b", "PUT", Host=host, Cookie=cookie) in (400, 403)


def test_a_host_behind_a_proxy_can_be_named(tmp_path):
    port, home = free_port(), tmp_path / "home"
    with studio(home, port, STREAMLIT_SERVER_ALLOWED_HOSTS="studio.example,*.news.example"):
        cookie = f"{cookie_name(port)}={cookie_of_token(open_workspace(home))}"
        for host, expected in (("studio.example", 200), ("a.news.example", 200), ("evil.example", 403)):
            assert status(port, Host=host, Cookie=cookie) == expected
            assert opens(port, host, f"https://{host}", cookie) == (expected == 200)


def test_dns_rebinding_gets_no_page(port, cookie):
    assert not opens(port, f"evil.example:{port}", f"http://evil.example:{port}", cookie)
    assert not opens(port, f"evil.example:{port}", None, cookie)


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_refused(port, origin, cookie):
    origin = origin.format(port=port)
    assert not opens(port, f"127.0.0.1:{port}", origin, cookie)
    assert status(port, "/_stcore/host-config", Host=f"127.0.0.1:{port}", Origin=origin, Cookie=cookie) == 403


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_its_own_names_and_pages_are_answered(port, host, cookie):
    host = host.format(port=port)
    assert status(port, Host=host, Cookie=cookie) == 200
    assert status(port, Host=host, Cookie=cookie, Origin=f"http://{host.lower()}") == 200
    assert opens(port, f"127.0.0.1:{port}", f"http://127.0.0.1:{port}", cookie)


def test_a_monitor_reads_health_and_numbers_under_the_studios_own_names_only(port, cookie):
    assert status(port, "/healthz", Host=f"127.0.0.1:{port}", Cookie=cookie) == 200
    assert status(port, "/metrics", Host=f"localhost:{port}", Cookie=cookie) == 200
    for path in ("/healthz", "/metrics"):
        assert status(port, path, Host="evil.example", Cookie=cookie) == 403
