"""What happens when the database cannot be reached, when clients stall, and when they leave too much lying about."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from account import LOGIN, PUSH, Account, allow
from conftest import sql
from oci import V2, digest, error
from raw import ECR_TARGET, JSON, Answer, message, post, send, signed_headers
from server import Server

MakeServer = Callable[..., Server]
KIB = 1024


# ------------------------------------------------------------------------------------------------ the database


def describe(server: Server) -> Answer:
    """DescribeRepositories without a client that tries again."""
    headers = JSON | {"X-Amz-Target": ECR_TARGET + "DescribeRepositories"}
    return post(server, b"{}", signed_headers(server, server.administrator, b"{}", headers))


def test_a_lost_database_is_an_honest_fault_and_comes_back_without_a_restart(
    own_server: MakeServer, database: Callable[[], str]
) -> None:
    url = database()
    server = own_server(database=url).start()
    account = Account.default(server)
    v2 = server.push_and_pull(account.key)
    name = account.repository()
    image = v2.push(name, "v1", b"a layer" * 1000)
    upload = v2.begin_upload(name)
    for _ in range(2):
        lose(url)
        for method, path, data in [
            ("GET", f"/v2/{name}/manifests/v1", b""),
            ("GET", f"/v2/{name}/blobs/{digest(image.layer)}", b""),
            ("POST", f"/v2/{name}/blobs/uploads/", b""),
            ("PATCH", upload, b"bytes"),
            ("PUT", f"/v2/{name}/manifests/v2", image.manifest),
        ]:
            answer = v2.request(method, path, data=data, faults=True)
            status, code, text = error(answer)
            assert (status, code) == (503, "UNAVAILABLE"), f"{method} {path}: {answer.text}"
            assert "try again" in text
        answer = describe(server)
        assert answer.status == 503 and b"ServerException" in answer.body, answer.body
        found_again(url)
        assert describe(server).status == 200
        assert v2.pull(name, "v1").content == image.manifest
        assert v2.blob(name, digest(image.layer)).content == image.layer
        assert v2.pull(name, "v2").status_code == 404, "nothing was half done"
    v2.push(name, "v2", b"another layer")
    answer = v2.finish_upload(upload, digest(b"bytes"), b"bytes")
    assert answer.status_code == 201, answer.text
    server.stop()


def lose(url: str) -> None:
    """Ends the connections to the database and lets nobody in."""
    base, name = url.rsplit("/", 1)
    sql(f"{base}/postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    sql(f"{base}/postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def found_again(url: str) -> None:
    base, name = url.rsplit("/", 1)
    sql(f"{base}/postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


# ------------------------------------------------------------------------------------------------ what lies about


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that soon has enough of stalled and unfinished uploads."""
    options = ["--uploads-stall", "2s", "--uploads-unfinished-bytes", "100 KiB"]
    server = Server(tmp_path_factory.mktemp("server"), options=options)
    server.start()
    yield server
    server.stop()


def pusher(account: Account, name: str) -> V2:
    user = account.user("pusher", allow(LOGIN), allow(PUSH, account.arn(name)))
    return account.server.push_and_pull(user.key)


def test_a_principal_has_a_bound_of_unfinished_bytes(account: Account) -> None:
    name = account.repository()
    v2 = pusher(account, name)
    first, second = v2.begin_upload(name), v2.begin_upload(name)
    sixty = bytes(60 * KIB)
    assert v2.request("PATCH", first, data=sixty).status_code == 202
    status, code, text = error(v2.request("PATCH", second, data=sixty))
    assert (status, code) == (429, "TOOMANYREQUESTS")
    assert "102400 bytes" in text and "finish or cancel" in text
    assert v2.get(second).status_code == 404, "nothing had come of it before, so it is gone"
    # What had come before is kept.
    status, code, _ = error(v2.request("PATCH", first, data=sixty))
    assert (status, code) == (429, "TOOMANYREQUESTS")
    _, _, last = v2.get(first).headers["Range"].partition("-")
    kept = int(last) + 1
    assert 60 * KIB <= kept <= 100 * KIB
    # Others are not concerned.
    other = pusher(account, name)
    assert other.request("PATCH", other.begin_upload(name), data=sixty).status_code == 202
    # Finished bytes do not count.
    answer = v2.finish_upload(first, digest(bytes(kept)))
    assert answer.status_code == 201, answer.text
    for _ in range(3):
        v2.push_blob(name, bytes(90 * KIB))


def test_uploads_at_once_are_bounded_together(account: Account) -> None:
    name = account.repository()
    v2 = pusher(account, name)
    uploads = [v2.begin_upload(name) for _ in range(6)]
    sixty = bytes(60 * KIB)
    with ThreadPoolExecutor(len(uploads)) as pool:
        answers = list(pool.map(lambda upload: v2.request("PATCH", upload, data=sixty), uploads))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {202, 429}
    assert statuses.count(202) <= 1
    for upload, status in zip(uploads, statuses, strict=True):
        assert v2.get(upload).status_code == (204 if status == 202 else 404)
    # One that is given up makes room.
    for upload in uploads:
        v2.request("DELETE", upload)
    v2.push_blob(name, sixty)


def test_parts_by_ecrs_api_are_bounded_too(account: Account) -> None:
    name = account.repository()
    ecr = account.ecr
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    part = {"repositoryName": name, "uploadId": upload, "partFirstByte": 0, "partLastByte": 200 * KIB - 1}
    with pytest.raises(ecr.exceptions.LimitExceededException, match="unfinished uploads"):
        ecr.upload_layer_part(**part, layerPartBlob=bytes(200 * KIB))


def test_a_client_that_stalls_is_told_and_may_go_on(account: Account) -> None:
    name = account.repository()
    v2 = account.server.push_and_pull(account.key)
    upload = v2.begin_upload(name)
    password = base64.b64encode(f"AWS:{account.server.password(account.key)}".encode()).decode()
    headers = {"Authorization": f"Basic {password}", "Content-Length": "1000"}
    answer = send(account.server, message("PATCH", upload, headers, b"the first bytes"))
    assert answer is not None and answer.status == 400, answer
    assert b"nothing came for 2 s" in answer.body
    assert v2.get(upload).headers["Range"] == "0-14"
    whole = b"the first bytes, and the rest"
    assert v2.finish_upload(upload, digest(whole), whole[15:]).status_code == 201
