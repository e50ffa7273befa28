"""`kinesphere doctor` asks the servers that the settings name, and changes nothing there."""

import asyncio

import pytest
from deploy.onebox.redis_server import redis_server
from deploy.onebox.s3_server import CREDENTIALS, s3_server

from kinesphere.cli.doctor_stores import stores
from kinesphere.cli.findings import Finding
from kinesphere.settings import load_settings
from kinesphere.wiring import upgrade_database
from tests.postgres import postgres

pytest.importorskip("redis")


def told(**given: str) -> dict[str, Finding]:
    settings = load_settings({f"KINESPHERE_{name}": value for name, value in given.items()})
    return {finding.name: finding for finding in stores(settings)}


@pytest.mark.slow
def test_servers_answer_or_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secret)
    assert told() == {}
    with postgres() as database, redis_server() as redis, s3_server() as s3:
        url = database.replace("postgresql+psycopg://", "postgresql://")
        up = {
            "DATABASE_URL": url,
            "REDIS_URL": redis.url,
            "BROKER_URL": redis.url,
            "ARTIFACTS_URL": s3.url("kinesphere"),
        }
        found = told(**up)
        assert {name: f.level for name, f in found.items()} == {
            "database": "fail", "redis": "ok", "broker": "ok", "artifacts": "warn",
        }  # fmt: skip
        assert "kinesphere db upgrade" in found["database"].advice
        assert found["artifacts"].found == "answers; bucket kinesphere does not exist yet"
        asyncio.run(upgrade_database(load_settings({"KINESPHERE_DATABASE_URL": url})))
        redis.kill()
        found = told(
            DATABASE_URL=url,
            REDIS_URL=redis.url.replace("redis://", "redis://:hunter2@"),
            BROKER_URL=redis.url.replace("redis://", "redis://:hunter2@"),
            ARTIFACTS_URL="s3://kinesphere?endpoint=http://127.0.0.1:1",
        )
        assert found["database"].found == "answers, its tables are up to date, 0 jobs"
        assert [found[n].level for n in ("redis", "broker", "artifacts")] == ["fail"] * 3
        assert "hunter2" not in str(found)
