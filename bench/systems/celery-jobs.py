# Celery's part of a measurement: see ../foreign.mjs for what it prints.
import json
import os
import sys
import threading
import time
from multiprocessing import Value

from celery import Celery
from celery.signals import worker_ready
from kombu import Exchange, Queue

task = json.loads(sys.argv[1])
mode, jobs, payload = task["mode"], task["jobs"], task["payload"]
concurrency = task.get("concurrency", 100)

app = Celery("bench", broker=task["url"])
app.conf.update(
    # What fills a queue that is drained later need not wait.
    broker_transport_options={"confirm_publish": mode != "fill"},
    task_queues=[Queue(task["queue"], Exchange("", type="direct"), routing_key=task["queue"], durable=True)],
    task_default_queue=task["queue"],
    task_default_exchange="",
    task_default_routing_key=task["queue"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_redirect_stdouts=False,
    worker_enable_remote_control=False,
)
count = Value("i", 0)
times = []
all_ran = threading.Event()


def tell(line):
    os.write(1, (line + "\n").encode())


@app.task(name="bench.job")
def job(given):
    if "at" in given:
        times.append((time.monotonic() - given["at"]) * 1000)
    with count.get_lock():
        count.value += 1
        ran = count.value
    if ran == task.get("warmUp"):
        tell("begin")
    if ran == jobs + (task["warmUp"] if mode == "latency" else 0):
        tell("end")
        all_ran.set()


def send(number, given):
    with app.producer_pool.acquire() as producer:
        for _ in range(number):
            job.apply_async((given,), producer=producer)


def send_at_rate():
    with app.producer_pool.acquire() as producer:
        for i in range(task["warmUp"] + jobs):
            if i == task["warmUp"]:
                started = time.monotonic()
            if i >= task["warmUp"]:
                time.sleep(max(0, started + (i - task["warmUp"]) / task["rate"] - time.monotonic()))
            job.apply_async(({**payload, "at": time.monotonic()},), producer=producer)
    all_ran.wait()
    tell(json.dumps(times[task["warmUp"]:]))
    tell("done")


if mode == "fill":
    send(jobs, payload)
    tell("done")
    time.sleep(10)  # it is looked at, and ended
elif mode.startswith("enqueue"):
    send(task["warmUp"], payload)
    tell("begin")
    send(jobs - (task["warmUp"] if "bulk" in mode else 0), payload)
    tell("end")
    tell("done")
    time.sleep(10)
else:
    if mode == "latency":
        worker_ready.connect(lambda **_: threading.Thread(target=send_at_rate).start(), weak=False)
    worker = app.Worker(
        # A process for each of a hundred would take 3 GB.
        pool="prefork" if concurrency <= 10 else "threads",
        concurrency=concurrency,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
