"""Nothing that was acknowledged is lost when the server is killed, and nothing stays behind. `BONDED_SEED` repeats a
run as far as threads allow; `BONDED_KILLS` says how often the server is killed."""

import os
import random
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from account import Account
from crash import REPOSITORIES, Fuse, Worker, needed, shared_blobs
from server import Server
from test_collection import collect, objects

MakeServer = Callable[..., Server]

WORKERS = 4
KILLS = int(os.environ.get("BONDED_KILLS", "20"))
SEED = int(os.environ.get("BONDED_SEED", secrets.randbits(32)))


def load_until_killed(server: Server, workers: list[Worker], password: str, fuse: Fuse, delay: float) -> None:
    """All workers at once, until the fuse has burnt down and a moment more."""
    with ThreadPoolExecutor(len(workers)) as pool:
        runs = [pool.submit(worker.run, server.v2(password, tls=False), fuse) for worker in workers]
        while not fuse.burnt.wait(0.1):
            if any(run.done() for run in runs):
                break  # its result says why
        time.sleep(delay)  # the point at which it is killed, not a wait for something
        server.kill()
        for run in runs:
            run.result()


def collect_until_killed(server: Server) -> int:
    """Collects what it can, again and again; how often it did."""
    rounds = 0
    while server.command("gc", "--no-grace", "--data", str(server.data)).returncode == 0:
        rounds += 1
    return rounds


def hold_to_its_word(server: Server, kills: int, seed: int) -> str:
    """Kills the server `kills` times under load; what happened, in a line."""
    print(f"BONDED_SEED={seed} BONDED_KILLS={kills}")
    numbers = random.Random(seed)
    server.start()
    account = Account.default(server)
    for name in REPOSITORIES:
        account.ecr.create_repository(repositoryName=name)
    blobs = shared_blobs(seed)
    workers = [Worker(f"w{n}", random.Random(numbers.random()), blobs) for n in range(WORKERS)]
    resumed = 0
    for number in range(kills):
        fuse, delay = Fuse(numbers.randint(5, 200)), numbers.random() * 0.02
        password = server.password(account.key)
        # A collector that waits for nobody may take what a worker left; without it nothing may.
        collecting = number % 2 == 1
        with ThreadPoolExecutor(1) as beside:
            rounds = beside.submit(collect_until_killed, server) if collecting else None
            load_until_killed(server, workers, password, fuse, delay)
            if rounds:
                rounds.result()
        server.start()
        v2, seen = server.v2(password, tls=False), set()
        for worker in workers:
            worker.verify(v2, seen)
        for name in REPOSITORIES:
            tags = {
                tag
                for worker in workers
                for (place, tag), named in worker.known.tags.items()
                if place == name and named != {None}
            }
            assert set(v2.get(f"/v2/{name}/tags/list").json()["tags"] or []) == tags
        resumed += sum(worker.go_on(v2, collecting) for worker in workers)
        collect(server, "--no-grace")
        assert len(objects(server)) == len(needed(workers)), f"after kill {number + 1}"
    server.stop()
    acknowledged = sum(worker.acknowledged for worker in workers)
    return f"seed {seed}: {kills} kills, {acknowledged} pushes and deletes acknowledged, {resumed} uploads resumed"


@pytest.mark.timeout(60 * KILLS)
def test_what_was_acknowledged_survives_kills_at_any_point(own_server: MakeServer) -> None:
    print(hold_to_its_word(own_server(), KILLS, SEED))


@pytest.mark.timeout(60 * KILLS)
def test_what_was_acknowledged_survives_kills_on_postgresql(
    own_server: MakeServer, database: Callable[[], str]
) -> None:
    print(hold_to_its_word(own_server(database=database()), max(4, KILLS // 5), SEED))
