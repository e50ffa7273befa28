"""FastAPI in front of Celery: one route that waits, one that does not."""

from celery_tasks import call
from fastapi import FastAPI

app = FastAPI()


@app.post("/call")
def wait(body: dict[str, str]) -> dict[str, str]:
    return {"result": call.delay(body["job"]).get(timeout=600)}


@app.post("/submit", status_code=202)
def submit(body: dict[str, str]) -> dict[str, str]:
    return {"id": call.delay(body["job"]).id}
