"""Works on tasks, a second for each dot in one; the tutorial's worker, on pika.

With OLD_CALL_STYLE set, basic_consume is called as pika 0.10 had it: callback first. The installed
pika is a newer one, so a wrapper turns the call around; the frames on the wire are the same.
"""
import os
import time

import pika
from address import parameters

connection = pika.BlockingConnection(parameters())
channel = connection.channel()
channel.queue_declare(queue="task_queue", durable=True)
print(" [*] Waiting for messages. To exit press CTRL+C", flush=True)


def callback(ch, method, properties, body):
    print(f" [x] Received {body.decode()}", flush=True)
    time.sleep(body.count(b"."))
    print(" [x] Done", flush=True)
    ch.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_qos(prefetch_count=1)
if os.environ.get("OLD_CALL_STYLE"):
    new_style = channel.basic_consume
    channel.basic_consume = lambda consumer_callback, queue: new_style(
        queue=queue, on_message_callback=consumer_callback
    )
    channel.basic_consume(callback, queue="task_queue")
else:
    channel.basic_consume(queue="task_queue", on_message_callback=callback)
channel.start_consuming()
