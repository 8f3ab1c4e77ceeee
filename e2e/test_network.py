"""Where requests come from: what proxies are believed, networks with names, and from where accounts are reached."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from account import LOGIN, Account, allow, deny
from oci import error
from server import Key, Server
from test_reload import reload, wait_for

PROXIES = "trusted_proxies = ['127.0.0.0/8', '10.0.0.0/8', 'fd00::/8']\n"


class Site:
    """A server behind a proxy, whose file of settings can be changed while it runs."""

    def __init__(self, make: Callable[..., Server], config: Path) -> None:
        self._config = config
        self._read = 0
        config.write_text(PROXIES)
        self.server = make(options=["--config", str(config)]).start()
        self.account = Account.default(self.server)

    def set(self, settings: str) -> None:
        self._config.write_text(PROXIES + settings)
        reload(self.server)
        self._read += 1
        wait_for(self.server, "the configuration was read again", self._read)

    def v2(self, key: Key, repository: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Pulls v1 as a client that the proxy says these headers of; without any the request is the proxy's own."""
        return requests.get(
            f"{self.server.url()}/v2/{repository}/manifests/v1",
            headers={"Authorization": self.server.basic(key)} | (headers or {}),
            verify=str(self.server.ca),
            timeout=60,
        )

    def describe(self, key: Key, headers: dict[str, str] | None = None) -> str:
        """What DescribeRepositories gives a client behind the proxy: `ok`, or the code of its error."""
        client = self.server.client("ecr", key)

        def state(request: Any, **_: Any) -> None:
            # Added behind the signature, as proxies do.
            for name, value in (headers or {}).items():
                request.headers[name] = value

        client.meta.events.register("before-send.ecr", state)
        try:
            client.describe_repositories()
        except ClientError as refused:
            return refused.response["Error"]["Code"]
        finally:
            client.meta.events.unregister("before-send.ecr", state)
        return "ok"


@pytest.fixture
def site(own_server: Callable[..., Server], tmp_path: Path) -> Iterator[Site]:
    site = Site(own_server, tmp_path / "bonded.toml")
    yield site
    site.server.stop()


@pytest.fixture
def image(site: Site) -> str:
    name = site.account.repository("app")
    site.server.push_and_pull(site.account.key).push(name, "v1")
    return name


def forwarded(*addresses: str) -> dict[str, str]:
    return {"X-Forwarded-For": ", ".join(addresses)}


READ = ["ecr:BatchGetImage", "ecr:DescribeRepositories", "ecr:GetAuthorizationToken"]


def test_the_source_address_is_the_right_most_that_is_no_proxys(site: Site, image: str) -> None:
    account = site.account
    inside = {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32", "127.0.0.0/8"]}}
    user = account.user("inside", allow(READ, Condition=inside))
    for headers, status in [
        ({}, 200),
        (forwarded("192.0.2.7"), 200),
        (forwarded("192.0.2.7:4711"), 200),
        (forwarded("[2001:db8::1]:443"), 200),
        (forwarded("::ffff:192.0.2.7"), 200),
        (forwarded("198.51.100.1"), 403),
        # What a client says of itself stands at the left.
        (forwarded("192.0.2.7", "198.51.100.1"), 403),
        (forwarded("127.0.0.1", "198.51.100.1"), 403),
        (forwarded("10.0.0.9", "198.51.100.1"), 403),
        (forwarded("garbage", "192.0.2.7"), 200),
        # A chain of proxies.
        (forwarded("198.51.100.1", "192.0.2.7", "10.0.0.2"), 200),
        (forwarded("192.0.2.7", "198.51.100.1", "10.0.0.2"), 403),
        # No guess.
        (forwarded("192.0.2.7", "garbage"), 400),
        (forwarded("192.0.2.7", ""), 400),
        (forwarded("unknown"), 400),
    ]:
        answer = site.v2(user.key, image, headers)
        assert answer.status_code == status, (headers, answer.text)
    assert site.describe(user.key, forwarded("192.0.2.7")) == "ok"
    assert site.describe(user.key, forwarded("192.0.2.7", "198.51.100.1")) == "AccessDeniedException"


def test_who_is_no_proxy_states_nothing(own_server: Callable[..., Server]) -> None:
    server = own_server(options=["--trusted-proxies", "10.0.0.0/8"]).start()
    account = Account.default(server)
    user = account.user("local", allow(READ, Condition={"IpAddress": {"aws:SourceIp": "127.0.0.1"}}))
    secure = account.user("secure", allow(READ), deny("*", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    url = server.url(tls=False) + "/v2/nothing/tags/list"
    for key, headers, status in [
        (user.key, forwarded("198.51.100.1"), 403),
        (user.key, forwarded("garbage"), 403),
        (secure.key, {"X-Forwarded-Proto": "https"}, 403),
    ]:
        headers["Authorization"] = server.basic(key)
        answer = requests.get(url, headers=headers, timeout=60)
        assert answer.status_code == status, answer.text
        record = error(answer)[2]
        why = server.command("why", record.split("decision ")[1].split(";")[0], key=account.key)
        assert "aws:SourceIp = 127.0.0.1" in why.stdout and "aws:SecureTransport = false" in why.stdout, why.stdout
    server.stop()


def test_transport_is_a_condition(site: Site, image: str) -> None:
    user = site.account.user("secure", allow(READ), deny("*", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    assert site.v2(user.key, image).status_code == 200
    assert site.v2(user.key, image, {"X-Forwarded-Proto": "http"}).status_code == 403
    assert site.v2(user.key, image, {"X-Forwarded-Proto": "https"}).status_code == 200
    assert site.v2(user.key, image, {"X-Forwarded-Proto": "gopher"}).status_code == 400
    plain = site.server.url(tls=False) + f"/v2/{image}/manifests/v1"
    headers = {"Authorization": site.server.basic(user.key)}
    assert requests.get(plain, headers=headers, timeout=60).status_code == 403
    stated = headers | {"X-Forwarded-Proto": "https"}
    assert requests.get(plain, headers=stated, timeout=60).status_code == 200


def test_a_network_with_a_name_is_a_condition_and_is_taken_up_while_the_server_runs(site: Site, image: str) -> None:
    account = site.account
    office = account.user("office", allow(LOGIN), allow(READ, Condition={"StringEquals": {"aws:SourceVpce": "office"}}))
    cluster = account.user(
        "cluster", allow(LOGIN), allow(READ, Condition={"StringLike": {"aws:SourceVpc": "cluster-*"}})
    )
    guarded = account.user(
        "guarded", allow(READ), deny("ecr:Batch*", Condition={"StringNotEquals": {"aws:SourceVpce": ["office", "lab"]}})
    )
    keys = [office.key, cluster.key, guarded.key]

    def statuses(address: str) -> list[int]:
        return [site.v2(key, image, forwarded(address)).status_code for key in keys]

    assert statuses("192.0.2.7") == [403, 403, 403], "no network has a name yet"
    networks = "[networks]\noffice = ['192.0.2.0/24']\ncluster-a = ['198.51.100.0/24', 'fd01::/16']\n"
    site.set(networks + "lab = ['192.0.2.128/25']\n")
    assert statuses("192.0.2.7") == [200, 403, 200]
    assert statuses("192.0.2.200") == [403, 403, 200], "the smallest network counts"
    assert statuses("198.51.100.7") == [403, 200, 403]
    assert statuses("203.0.113.1") == [403, 403, 403]
    assert site.describe(office.key, forwarded("192.0.2.7")) == "ok"
    assert site.describe(office.key, forwarded("203.0.113.1")) == "AccessDeniedException"
    # The address stays a condition beside the name.
    both = account.user("both", allow(LOGIN), allow(READ, Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    assert site.v2(both.key, image, forwarded("192.0.2.7")).status_code == 200
    site.set("[networks]\noffice = ['203.0.113.0/24']\n")
    assert statuses("192.0.2.7") == [403, 403, 403]
    assert statuses("203.0.113.1") == [200, 403, 200]


def test_an_account_is_reached_only_from_where_the_operator_says(site: Site, image: str) -> None:
    one, key = site.account, site.account.key
    two = Account(site.server, site.server.create_account("222222222222"))
    user = one.user("administrator", allow("*"))
    here, there = forwarded("192.0.2.7"), forwarded("198.51.100.7")

    def outcomes(of: Key) -> list[Any]:
        v2 = [site.v2(of, image, headers).status_code for headers in (here, there)]
        return [*v2, site.describe(of, here), site.describe(of, there)]

    denied = "AccessDeniedException"
    assert outcomes(user.key) == [200, 200, "ok", "ok"]
    # The proxy itself, as which the tests make their passwords, stays in reach.
    site.set(f"[accounts_from]\n'{one.id}/v2' = ['192.0.2.0/24', '127.0.0.0/8']\n")
    assert outcomes(user.key) == [200, 403, "ok", "ok"]
    status, code, message = error(site.v2(user.key, image, there))
    assert (status, code) == (403, "DENIED")
    assert message.startswith(f"the account '{one.id}' is not reached from '198.51.100.7'")
    assert site.v2(two.key, image, there).status_code == 403, "a caller of another account has no other way in"
    ping = requests.get(
        f"{site.server.url()}/v2/",
        headers=there | {"Authorization": site.server.basic(key)},
        verify=str(site.server.ca),
        timeout=60,
    )
    assert ping.status_code == 403

    site.set(f"[accounts_from]\n'{one.id}' = ['192.0.2.0/24', '127.0.0.0/8']\n")
    assert outcomes(user.key) == [200, 403, "ok", denied]
    assert site.describe(two.key, there) == "ok"
    # Through another account's API there is no way in, either.
    policy = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}]}'
    one.ecr.set_repository_policy(repositoryName=image, policyText=policy)
    role = one.role("open", {"Effect": "Allow", "Principal": {"AWS": two.id}, "Action": "sts:AssumeRole"})
    sts = site.server.client("sts", two.key)
    sts.meta.events.register("before-send.sts", lambda request, **_: request.headers.update(there) or None)
    with pytest.raises(ClientError) as refused:
        sts.assume_role(RoleArn=role, RoleSessionName="way-in")
    assert refused.value.response["Error"]["Code"] == "AccessDenied"

    site.set("[accounts_from]\n'*' = ['127.0.0.0/8']\n'*/aws' = ['192.0.2.0/24', '127.0.0.0/8']\n")
    assert outcomes(user.key) == [403, 403, "ok", denied]
    site.set("")
    assert outcomes(user.key) == [200, 200, "ok", "ok"]


def test_a_setting_of_networks_that_is_wrong_is_named(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server = own_server()
    for text, said in [
        ("[networks]\noffice = ['10.0.0.0/33']", "setting 'networks': '10.0.0.0/33' is not a network"),
        ("[networks]\n'a b' = []", "setting 'networks': 'a b' is not the name of a network"),
        ("networks = ['10.0.0.0/8']", "'networks' is of type array; a table of lists of strings is expected"),
        ("[networks]\noffice = '10.0.0.0/8'", "a table of lists of strings is expected"),
        ("[accounts_from]\n'12' = []", "setting 'accounts_from': '12' is not an account of 12 digits or '*'"),
        ("[accounts_from]\n'111122223333/ui' = []", "'111122223333/ui' is not an account"),
    ]:
        config = tmp_path / "wrong.toml"
        config.write_text(text)
        done = server.command("config", "check", "--config", str(config))
        assert done.returncode == 2 and said in done.stderr, done.stderr
    flags = ["--networks", "office=10.0.0.0/8,192.0.2.1;lab=fd00::/8", "--accounts-from", "*/v2=10.0.0.0/8"]
    shown = server.command(
        "config", "show", *flags, "--data", str(tmp_path / "data"), "--keyring", str(tmp_path / "ring")
    )
    assert '"office" = ["10.0.0.0/8", "192.0.2.1/32"]' in shown.stdout, shown
    assert '[accounts_from]\n"*/v2" = ["10.0.0.0/8"]' in shown.stdout
    again = tmp_path / "again.toml"
    again.write_text(shown.stdout)
    assert server.command("config", "show", "--config", str(again)).stdout == shown.stdout
    for wrong in ["office", "office=10.0.0.0/8;office=10.0.0.0/9"]:
        assert server.command("config", "check", "--networks", wrong).returncode == 2
