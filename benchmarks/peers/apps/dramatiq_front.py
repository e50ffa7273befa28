"""FastAPI in front of Dramatiq: one route that waits, one that does not."""

from dramatiq_tasks import call
from fastapi import FastAPI

app = FastAPI()


@app.post("/call")
def wait(body: dict[str, str]) -> dict[str, str]:
    return {"result": call.send(body["job"]).get_result(block=True, timeout=600_000)}


@app.post("/submit", status_code=202)
def submit(body: dict[str, str]) -> dict[str, str]:
    return {"id": call.send(body["job"]).message_id}
