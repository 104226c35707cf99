import pytest
import redis
from django.test import override_settings

from config.redis import caches
from locking.doctor import Level, examine, judged
from locking.facts import Facts, gather
from tests.locking.conftest import Use
from tests.product import free_port
from tests.servers import Cluster, Valkey, scratch

GOOD = Facts(
    info={
        "redis_version": "7.2.4",
        "server_name": "valkey",
        "valkey_version": "9.1.2",
        "role": "master",
        "connected_slaves": 0,
        "maxmemory_policy": "noeviction",
        "maxmemory": 0,
        "aof_enabled": 1,
    },
    config={"save": "", "min-replicas-to-write": "0"},
    servers=frozenset({"a"}),
    ports=(6379, 6379),
)


def changed(facts: Facts = GOOD, *, info=None, **changes) -> Facts:
    values = {name: getattr(facts, name) for name in Facts.__slots__}
    return Facts(**{**values, "info": {**facts.info, **(info or {})}, **changes})


def bad(facts: Facts):
    return [(one.id[-3:], one.level) for one in judged(facts) if one.level is not Level.OK]


def test_a_good_store_has_only_good_findings():
    assert bad(GOOD) == []
    assert [one.id for one in judged(GOOD)] == [f"locking.D{n:03}" for n in range(2, 13)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (changed(info={"redis_version": "6.0.16", "server_name": "redis"}), ("002", "error")),
        (changed(info={"redis_version": "6.2.0"}), None),
        (changed(info={"redis_version": "10.0.1"}), None),
        (changed(info={"role": "slave"}), ("003", "error")),
        (changed(info={"maxmemory_policy": "allkeys-lru"}), ("004", "warning")),
        (changed(info={"maxmemory_policy": "volatile-ttl", "maxmemory": 9}), ("004", "error")),
        (changed(sharing=("default",)), ("005", "error")),
        (changed(alias="default"), ("005", "error")),
        (changed(info={"aof_enabled": 0}), ("006", "warning")),
        (changed(info={"aof_enabled": 0}, config={"save": "60 1"}), ("006", "warning")),
        (changed(info={"connected_slaves": 1}), ("007", "warning")),
        (changed(info={"connected_slaves": 1}, config=None), ("007", "warning")),
        (
            changed(info={"connected_slaves": 1}, config={"min-replicas-to-write": "1"}),
            None,
        ),
        (changed(offset=-1.5), ("008", "warning")),
        (changed(heard=None), ("009", "warning")),
        (changed(heard=False), ("009", "warning")),
        (changed(servers=frozenset("ab")), ("010", "error")),
        (changed(ports=(6379, 16379)), ("010", "warning")),
        (changed(ports=None), None),
        (changed(timeout=None), ("011", "warning")),
        (changed(timeout=11.0), ("011", "warning")),
        (changed(grants=False), ("012", "error")),
    ],
)
def test_each_fault_has_a_finding(facts, expected):
    assert bad(facts) == ([expected] if expected else [])


def test_what_the_server_keeps_to_itself_is_a_warning():
    secretive = Facts(config=None)
    assert bad(secretive) == [("002", "warning"), ("004", "warning"), ("006", "warning")]


def test_every_fault_comes_with_advice():
    for facts in (changed(sharing=("default",), grants=False, heard=None), Facts(config=None)):
        assert all(one.hint for one in judged(facts) if one.level is not Level.OK)


def test_the_store_of_this_run_keeps_locks_but_not_over_a_restart():
    found = {one.id[-3:]: one.level for one in examine()}
    assert found.pop("006") is Level.WARNING
    assert set(found.values()) == {Level.OK}
    assert len(found) == 11


def test_a_persistent_store_is_all_right(use: Use):
    server = Valkey(scratch(), "--appendonly", "yes")
    use(server.url)
    assert {one.level for one in examine()} == {Level.OK}
    server.stop()


def test_a_store_that_is_down_is_the_only_finding(own_valkey, use: Use):
    use(own_valkey.url)
    own_valkey.stop()
    (finding,) = examine()
    assert (finding.id, finding.level) == ("locking.D001", "error")


def test_a_cache_that_is_not_redis_is_the_only_finding():
    memory = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with override_settings(CACHES=memory, LOCKING={}):
        (finding,) = examine()
    assert "not a django-redis cache" in finding.message


def test_a_cache_in_the_database_of_the_locks_is_found(own_valkey):
    shared = caches(own_valkey.url)
    shared["default"]["LOCATION"] = shared["locks"]["LOCATION"]
    with override_settings(CACHES=shared):
        (finding,) = (one for one in examine() if one.id == "locking.D005")
    assert (finding.level, "'default'" in finding.message) == ("error", True)


def test_a_user_without_rights_is_told_what_is_missing(own_valkey, use: Use):
    """Channels refused, and what only an administrator may ask."""
    admin = redis.Redis.from_url(own_valkey.url)
    admin.acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], reset_channels=True,
        commands=["+@all", "-config", "-info", "-client"],
    )  # fmt: skip
    use(own_valkey.url.replace("unix://", "unix://app:secret@"))
    found = {one.id[-3:]: one.level for one in examine()}
    assert found["009"] is Level.WARNING
    assert found["012"] is Level.OK
    assert found["002"] is found["004"] is Level.WARNING


def test_a_user_who_may_run_no_scripts_cannot_lock(own_valkey, use: Use):
    admin = redis.Redis.from_url(own_valkey.url)
    admin.acl_setuser(
        "app", enabled=True, passwords=["+secret"], keys=["*"], channels=["*"],
        commands=["+@all", "-@scripting"],
    )  # fmt: skip
    use(own_valkey.url.replace("unix://", "unix://app:secret@"))
    assert [one.id[-3:] for one in examine() if one.level is Level.ERROR] == ["012"]


def test_over_tcp_the_port_that_answers_is_the_one_asked_for(use: Use):
    port = free_port()
    server = Valkey(scratch(), "--port", str(port))
    use(f"redis://127.0.0.1:{port}")
    assert gather().ports == (port, port)
    server.stop()


def test_a_cluster_keeps_locks_beside_other_caches(use: Use):
    """Its only database is shared, and clearing a cache spares what others keep in it."""
    cluster = Cluster()
    use(cluster.url)
    found = {one.id[-3:]: one.level for one in examine()}
    cluster.stop()
    assert Level.ERROR not in found.values()
    assert found["005"] is found["009"] is found["012"] is Level.OK
