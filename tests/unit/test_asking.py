"""Rows N21 to N28 and N30: whose word is taken, and who is told what."""

import base64
import datetime as dt
import ipaddress
import shutil
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import addresses, asking, documents, network_errors, sources
from zoo.cli import run
from zoo.credentials import credential
from zoo.errors import FetchError, RefusedError, UnsupportedError, UsageError, ZooError
from zoo.lines import _is_private
from zoo.patience import Manner, Patience

TEXT = b"models: {}"
VARIABLES = ("ZOO_TOKEN", "HF_TOKEN", "HF_ENDPOINT", "NETRC", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE",
             "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
             "https_proxy", "no_proxy", "ALL_PROXY", "all_proxy")  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Take out of the environment what says how the network is asked."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def server():
    """Return a server without files."""
    with FaultyServer() as running:
        yield running


@pytest.fixture
def other():
    """Return another server: another port is another origin."""
    with FaultyServer() as running:
        running.files["/f"] = Served(TEXT)
        yield running


def read(url, **how):
    """Read a document without waiting between attempts."""
    pinned = how.pop("pinned", None)
    manner = Manner(patience=Patience(sleep=lambda _: None), **how)
    return documents.read(url, limit=1000, pinned=pinned, manner=manner).bytes


def redirect(target):
    """Return what redirects to `target`."""
    return lambda request: request.status(302, Location=target)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a file with a certificate for loopback and its key, made by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there, which makes certificates")
    folder = tmp_path_factory.mktemp("certificate")
    return self_signed(folder, "good", 30)


def self_signed(folder, name, days):
    """Return a file with a certificate that is valid for so many days, and its key."""
    path = folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
               "-addext", "subjectAltName=IP:127.0.0.1", "-days", str(days),
               "-keyout", folder / "key", "-out", folder / "cert"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return path


@pytest.fixture
def secure(certificate, monkeypatch):
    """Return a server that is asked over TLS, and is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with FaultyServer(certificate) as running:
        yield running


@pytest.mark.parametrize(
    ("allowed", "pinned", "followed"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
def test_n21_down_to_plain_text(secure, other, allowed, pinned, followed):
    """What anybody on the way can change is followed only for bytes that a digest pins."""
    import hashlib

    secure.files["/f"] = redirect(f"{other.url}/f")
    digest = hashlib.sha256(TEXT).hexdigest() if pinned else None

    if followed:
        assert read(f"{secure.url}/f", pinned=digest, allow_http=allowed) == TEXT
    else:
        with pytest.raises(RefusedError, match="anybody on the way"):
            read(f"{secure.url}/f", pinned=digest, allow_http=allowed)
        assert other.requests == []


PRIVATE = ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
           "fe80::1", "fc00::1", "::", "::ffff:10.0.0.1", "100.64.0.1"]  # fmt: skip


def test_n23_which_addresses_are_private():
    """Loopback, link-local (where clouds keep secrets), private, shared, and what maps to them."""
    assert [one for one in PRIVATE if not _is_private(one)] == []
    assert not any(map(_is_private, ("8.8.8.8", "2606:4700::1111", "example.org")))
    assert ipaddress.ip_address("::ffff:10.0.0.1").version == 6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1"])
def test_n23_private_addresses_on_the_word_of_the_network(server, host):
    """Whatever name leads there: the connection is looked at, and nothing is sent over it."""
    server.files["/f"] = Served(TEXT)
    url = f"http://{host}:{urlsplit(server.url).port}/f"

    with pytest.raises(RefusedError, match="not asked") as caught:
        read(url, from_network=True)

    assert "127.0.0.1" in caught.value.found or "::1" in caught.value.found
    assert server.requests == []
    assert read(f"{server.url}/f") == TEXT


def test_n23_a_name_that_leads_to_another_address_the_second_time(server, monkeypatch):
    """What is looked at is the connection, not what a name meant a moment before."""
    import socket

    real, answers = socket.getaddrinfo, []

    def rebinding(host, port, *rest, **named):
        if host != "models.example.org":
            return real(host, port, *rest, **named)
        answers.append("127.0.0.1")
        return real("127.0.0.1", port, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.files["/f"] = Served(TEXT)

    with pytest.raises(RefusedError, match=r"models\.example\.org is not asked"):
        read(f"http://models.example.org:{urlsplit(server.url).port}/f", from_network=True)

    assert (len(answers), server.requests) == (1, [])


def test_n23_the_hub_of_the_user_may_be_private(server, monkeypatch):
    """Who sets HF_ENDPOINT names it himself."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.files["/org/net/resolve/main/f"] = Served(TEXT)

    assert read("hf://org/net/f", from_network=True) == TEXT


def test_n24_credentials_stay_with_their_origin(server, other, monkeypatch):
    """Another port is another origin; back at the first one they are sent again."""
    monkeypatch.setenv("ZOO_TOKEN", f"https://h.example={'x'} {server.url}=secret")
    server.files["/f"] = redirect(f"{other.url}/away")
    other.files["/away"] = redirect(f"{server.url}/back")
    server.files["/back"] = Served(TEXT)

    assert read(f"{server.url}/f") == TEXT
    assert [asked.headers.get("authorization") for asked in server.requests] == [
        "Bearer secret"
    ] * 2
    assert "authorization" not in other.requests[0].headers


def test_n24_user_and_password_of_an_address(server, other):
    """They are sent to its origin, and to no other."""
    server.files["/f"] = redirect(f"{other.url}/f")

    assert read(server.url.replace("://", "://me:pass%40word@") + "/f") == TEXT
    basic = "Basic " + base64.b64encode(b"me:pass@word").decode()
    assert server.requests[0].headers["authorization"] == basic
    assert "authorization" not in other.requests[0].headers


def test_n25_netrc_is_for_the_first_origin(server, other, tmp_path):
    """The host of a redirect is not looked up there, though it has an entry."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    server.files["/f"] = redirect(f"{other.url}/f")

    assert read(f"{server.url}/f") == TEXT
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert "authorization" not in other.requests[0].headers


def test_s3_a_netrc_that_others_can_read_is_said(server, tmp_path):
    """The password is used, since that is what its owner wants; how to keep it is said."""
    server.files["/net.pb"] = Served(b"a net")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o644)

    with pytest.warns(UserWarning, match="chmod 600"):
        assert read(f"{server.url}/net.pb") == b"a net"


@pytest.mark.parametrize("stated", ["secret", "=secret", "https://h=", "https://h/path=secret"])
def test_a_token_without_an_origin_is_refused(stated, monkeypatch):
    """It would have to be sent to everybody, or to nobody; it is not shown."""
    monkeypatch.setenv("ZOO_TOKEN", stated)

    with pytest.raises(UsageError, match="to whom it belongs") as caught:
        credential("https://h/f", None, first=True)

    assert "secret" not in str(caught.value)


def test_the_token_of_the_hub(monkeypatch):
    """HF_TOKEN belongs to the hub, wherever HF_ENDPOINT says that is."""
    monkeypatch.setenv("HF_TOKEN", "secret")

    assert credential("https://huggingface.co/x", None, first=False).header == "Bearer secret"
    assert credential("https://cdn.huggingface.co/x", None, first=False) is None
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example:8080/")
    assert credential("http://hub.example:8080/x", None, first=False).source == "HF_TOKEN"
    assert credential("https://huggingface.co/x", None, first=False) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("hf://org/net/f", "/org/net/resolve/main/f"),
        ("hf://org/net/a/b c.h5@v1", "/org/net/resolve/v1/a/b%20c.h5"),
        ("hf://org/net/f@refs/pr/1", "/org/net/resolve/refs%2Fpr%2F1/f"),
    ],
)
def test_files_of_the_hub(server, monkeypatch, url, path):
    """Plain HTTP, a revision in the path, and a redirect to where the bytes are."""
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    server.files[path] = redirect("/blob")
    server.files["/blob"] = Served(TEXT)

    assert read(url) == TEXT


@pytest.mark.parametrize("url", ["hf://net", "hf://org/net", "hf:org/net/f", "hf://org/net/@v1"])
def test_addresses_that_name_no_file_of_the_hub(url):
    """They are refused before anybody is asked."""
    with pytest.raises(UsageError, match="names no file"):
        read(url)


def test_n28_a_proxy(server, other, monkeypatch):
    """It is asked in the place of the server, but for those that NO_PROXY names."""
    server.files["http://models.example.org/f"] = Served(TEXT)
    monkeypatch.setenv("HTTP_PROXY", server.url.replace("://", "://me:secret@"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert read("http://models.example.org/f", from_network=True) == TEXT
    assert read(f"{other.url}/f") == TEXT
    assert [asked.path for asked in server.requests] == ["http://models.example.org/f"]
    assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")


def test_n28_a_proxy_that_is_gone(monkeypatch):
    """Its password is not in the message."""
    with FaultyServer() as gone:
        proxy = gone.url.replace("://", "://me:secret@")
    monkeypatch.setenv("HTTP_PROXY", proxy)

    with pytest.raises(FetchError) as caught:
        read("http://models.example.org/f")

    assert "Connection refused" in caught.value.found
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_n28_certificates_of_the_user(certificate, monkeypatch, name):
    """A file that the environment names is trusted; without it nobody knows the server."""
    with FaultyServer(certificate) as server:
        server.files["/f"] = Served(TEXT)

        with pytest.raises(FetchError, match="cannot prove who it is"):
            read(f"{server.url}/f")
        monkeypatch.setenv(name, str(certificate))
        assert read(f"{server.url}/f") == TEXT


def test_n30_a_clock_that_is_wrong():
    """A certificate that is over or not yet valid may be the fault of the clock, which is shown."""
    import ssl

    error = ssl.SSLCertVerificationError()
    for found in ("certificate has expired", "certificate is not yet valid", "self-signed"):
        error.verify_message = found
        with pytest.raises(FetchError) as caught, network_errors.said("https://h/f"):
            raise error
        assert (time.strftime("%Y") in caught.value.hint) == (found != "self-signed")


def test_n30_a_date_to_wait_for():
    """A date that is over by the clock of this machine means no time, never a negative one."""
    then = dt.datetime.now(dt.UTC)

    def header(years):
        return (then + dt.timedelta(days=365 * years)).strftime("%a, %d %b %Y %H:%M:%S GMT")

    assert asking._asked_to_wait(header(-30)) == 0
    assert asking._asked_to_wait(header(30)) > 1e8
    assert asking._asked_to_wait("soon") is None


@pytest.mark.parametrize("url", ["http://", "https:///f", "http://h:port/f", "http://h:99999/f"])
def test_addresses_without_a_host(url):
    """They are errors of ours."""
    with pytest.raises(ZooError):
        read(url)


def test_other_schemes_are_named(tmp_path):
    """With those that there are."""
    with pytest.raises(UnsupportedError) as caught:
        next(sources.opened("ftp://h/f", tmp_path))
    assert "https:" in caught.value.hint
    with pytest.raises(UnsupportedError):
        addresses.origin("ftp://h/f")


@pytest.mark.parametrize("status", [500, 403, 404, 200])
@pytest.mark.parametrize("options", [["-v"], ["-v", "--json"], []])
def test_no_secret_is_printed(server, tmp_path, capfd, status, options, monkeypatch):
    """Not in an error, a document, a remark or a traceback, whatever went wrong."""
    monkeypatch.setattr(Patience, "pause", lambda *_: 0.0)
    server.files["/f"] = lambda request: request.status(status, b"x" * 10)
    monkeypatch.setenv("ZOO_TOKEN", f"{server.url}=SECRET")
    url = f"{server.url}/f?signature=SECRET"
    registry = tmp_path / "registry.yaml"
    registry.write_text(f"""
version: 1
models:
  net:
    summary: a net
    weights:
      t: {{format: frozen, urls: ["{url}"], sha256: {"0" * 64}, size: 10}}
""")

    assert run(["fetch", "net", "--registry", str(registry), *options]) != 0

    printed = "".join(capfd.readouterr())
    assert "SECRET" not in printed
    assert "/f?..." in printed or "Traceback" not in printed
