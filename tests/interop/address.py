"""Where the broker is: AMQP_URL, or localhost."""
import os

import pika


def parameters():
    url = os.environ.get("AMQP_URL")
    return pika.URLParameters(url) if url else pika.ConnectionParameters("localhost")
