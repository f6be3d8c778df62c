"""The tasks that celery_test.py has Celery's workers do. What a task did is a line in a file."""
import os
import signal
import time

from celery import Celery, shared_task
from kombu import Exchange, Queue

EFFECTS = os.environ.get("CELERY_TASKS_EFFECTS")


def configured_app(url, prefix):
    """For workers and for those who send tasks; the queues' names begin with the prefix."""
    app = Celery("celery_tasks", broker=f"{url}//", backend="rpc://", set_as_current=False)
    direct = Exchange(f"{prefix}-tasks", type="direct")
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=f"{prefix}-tasks",
        task_default_exchange=f"{prefix}-tasks",
        task_default_routing_key=f"{prefix}-tasks",
        task_queues=[
            Queue(f"{prefix}-tasks", direct, routing_key=f"{prefix}-tasks"),
            Queue(f"{prefix}-urgent", direct, routing_key=f"{prefix}-urgent", max_priority=10),
        ],
        worker_prefetch_multiplier=int(os.environ.get("CELERY_TASKS_PREFETCH", "4")),
        broker_transport_options={"confirm_publish": True},
        broker_connection_max_retries=None,
        task_send_sent_event=True,
        worker_lost_wait=0.5,
        worker_redirect_stdouts=False,
    )
    return app


def note(line):
    """In one write, so that lines of several processes do not mix."""
    file = os.open(EFFECTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{line}\n".encode())
    os.close(file)


@shared_task(name="effect", bind=True)
def effect(self, number, seconds=0):
    time.sleep(seconds)
    note(f"{number} {self.request.hostname}")
    return number


@shared_task(name="add")
def add(x, y):
    return x + y


@shared_task(name="fail")
def fail(reason):
    raise ValueError(reason)


@shared_task(
    name="flaky",
    bind=True,
    autoretry_for=(ConnectionError,),
    max_retries=5,
    retry_backoff=False,
    default_retry_delay=0.05,
)
def flaky(self, failures):
    if self.request.retries < failures:
        raise ConnectionError("not yet")
    return self.request.retries


@shared_task(name="again", bind=True, max_retries=5)
def again(self, failures):
    if self.request.retries < failures:
        raise self.retry(countdown=0.05)
    return self.request.retries


@shared_task(name="die_once", bind=True)
def die_once(self, path):
    """The process that does it is killed, the first time."""
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    note(f"survived {self.request.hostname}")


if "CELERY_TASKS_BROKER" in os.environ:
    app = configured_app(os.environ["CELERY_TASKS_BROKER"], os.environ["CELERY_TASKS_PREFIX"])
