"""What is refused before a server starts."""

import pytest

from convscope.errors import RequestError
from convscope.serving.settings import ServeSettings, read_token
from tests.repetition import first_fast
from tests.serving.servers import photograph, served, start

TOKEN = "a-token-of-a-test"  # noqa: S105 -- a test's own


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 0}, "`port`"),
        ({"workers": 0}, "`workers` must be between 1 and 256, not 0"),
        ({"threads": 0}, "`threads`"),
        ({"max_batch_size": 0}, "`max_batch_size`"),
        ({"max_delay": -1}, "`max_delay`"),
        ({"queue_size": 0}, "`queue_size`"),
        ({"queue_size": 8}, "would never be answered"),
        ({"timeout": 0}, "`timeout`"),
        ({"timeout": float("nan")}, "`timeout`"),
        ({"max_body": 5000}, "`max_body`"),
        ({"max_pixels": 10**9}, "`max_pixels` must be between 1 and 100,000,000"),
        ({"name": "a/b"}, "`name`"),
    ],
)
def test_a_setting_out_of_range_is_refused(changes, words):
    with pytest.raises(RequestError, match=words):
        ServeSettings(**changes)


def test_a_token_is_needed_where_other_machines_reach_the_server(monkeypatch, tmp_path):
    monkeypatch.delenv("CONVSCOPE_TOKEN", raising=False)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert read_token(ServeSettings(host=host), None) is None
    for host in ("0.0.0.0", "::", "10.0.0.7", "example.com"):  # noqa: S104 -- refused
        with pytest.raises(RequestError, match="must carry a token"):
            read_token(ServeSettings(host=host), None)
    monkeypatch.setenv("CONVSCOPE_TOKEN", TOKEN)
    assert read_token(ServeSettings(host="10.0.0.7"), None) == TOKEN
    file = tmp_path / "token"
    file.write_text(TOKEN[::-1] + "\n")
    assert read_token(ServeSettings(), file) == TOKEN[::-1]


@pytest.mark.parametrize(
    "token", ["", "short", "with spaces in it, and long", "é" * 20, "x" * 2000]
)
def test_a_token_that_is_none_is_refused(token, tmp_path):
    (tmp_path / "token").write_text(token)
    with pytest.raises(RequestError, match="token"):
        read_token(ServeSettings(), tmp_path / "token")


def test_a_token_s_file_that_is_none_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(RequestError, match="could not be read"):
            read_token(ServeSettings(), path)


def test_requests_carry_the_token_and_probes_do_not(exports):
    environment = {"CONVSCOPE_TOKEN": TOKEN}
    for workers in (1, 2):
        options = ("--threads", 1, "--host", "0.0.0.0", "--workers", workers)  # noqa: S104
        with served(exports / "first", *options, environment=environment) as server:
            for path in ("/", "/health", "/health/live", "/v2/health/ready", "/static/form.js"):
                assert server.ask("GET", path).status == 200
            for path in ("/card", "/metrics", "/openapi.json", "/v2", "/v2/models/x", "/none"):
                for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": TOKEN},
                                {"Authorization": f"Basic {TOKEN}"}):  # fmt: skip
                    answer = server.ask("GET", path, headers=headers)
                    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
                good = {"Authorization": f"bearer {TOKEN}"}
                assert server.ask("GET", path, headers=good).status in (200, 404)
            assert server.predict(photograph()).status == 401
            assert server.predict(photograph(), good).status == 200
        server.close()
        assert TOKEN not in "".join(server.lines + server.errors)


def test_a_name_behind_a_proxy_is_answered_if_it_is_allowed(exports):
    with served(exports / "first", "--threads", 1, "--allowed-hosts", "cats.example") as server:
        for host, status in (("cats.example", 200), ("CATS.example", 200), ("dogs.example", 421)):
            assert server.ask("GET", "/health", headers={"Host": host}).status == status


@pytest.mark.parametrize(
    ("folder", "words"),
    first_fast(1, [("none", "neither a run nor an exported network"), (".", "neither a run")]),
)
def test_what_is_no_network_is_refused(tmp_path, folder, words):
    server = start(tmp_path / folder)
    assert server.process.wait(60) == 2
    server.close()
    assert words in "".join(server.errors)


def test_a_port_that_is_taken_is_refused(exports):
    with served(exports / "first", "--threads", 1) as server:
        other = start(exports / "first", port=server.port)
        assert other.process.wait(60) == 2
        other.close()
        assert f"No port {server.port} is free" in "".join(other.errors)


@pytest.mark.slow
def test_a_run_is_exported_first_and_again_when_its_weights_change(tmp_path):
    import convscope  # noqa: PLC0415

    run = tmp_path / "run"
    convscope.train("digits", epochs=1, output=run, engine="torch")
    for said in (["Exporting"], [], ["other weights", "Exporting"]):
        if len(said) == 2:
            convscope.resume(run, epochs=2)
        with served(run, "--threads", 1) as server:
            answer = server.predict(photograph(form="PNG"))
            assert answer.json["predictions"][0]["label"] in map(str, range(10))
        server.close()
        found = [line for line in server.errors if "Serving" not in line]
        assert len(found) == len(said), found
        assert all(word in line for word, line in zip(said, found, strict=True))
