"""Where Haypile is right to differ from RabbitMQ 3.10. To do as RabbitMQ does is the rule: what is
here is either decided otherwise, or a place where RabbitMQ breaks down rather than answers."""

REASONS = {
    "A bad login is answered with 403. RabbitMQ fails on a malformed one and closes the socket.": [
        "connection: login empty response",
        "connection: login one part",
    ],
    "An unknown mechanism is answered with 503. RabbitMQ drops the connection without an answer.": [
        "connection: unknown mechanism",
    ],
    "A tune-ok that is out of range is answered with 530. "
    "RabbitMQ drops the connection without an answer.": [
        "connection: tune-ok channel_max higher",
        "connection: tune-ok channel_max 0",
        "connection: tune-ok frame_max higher",
        "connection: tune-ok frame_max 0",
        "connection: tune-ok frame_max 4095",
        "connection: tune-ok frame_max 100",
    ],
    "A method out of turn in the handshake is answered with 503. RabbitMQ drops the connection.": [
        "connection: open before tune-ok",
        "connection: tune-ok before start-ok",
    ],
    "A client may close a connection that is not open yet: "
    "the specification allows this at any time.": [
        "connection: close before open",
    ],
    "An unknown class or method is answered with 503 or 540. "
    "RabbitMQ drops the connection without an answer.": [
        "frame: unknown class",
        "frame: unknown class on channel 0",
        "frame: unknown method",
        "frame: unknown method on channel 0",
    ],
    "A malformed table is answered with 502. RabbitMQ drops the connection without an answer.": [
        "frame: table with an unknown type",
        "frame: table that is cut off",
    ],
    "Malformed properties are the client's error, 502. RabbitMQ fails on them with 541.": [
        "content: properties cut off",
        "content: properties too long",
        "content: property flags that go on",
        "content: headers with an unknown type",
    ],
    "Frames for a channel that waits for close-ok are discarded. "
    "RabbitMQ still looks at some of them.": [
        "channel: half a message before close-ok is discarded",
        "channel: open while it waits for close-ok",
    ],
    "An unknown exchange type is the channel's error, 406, as in later versions of RabbitMQ.": [
        "exchange.declare: type 'nonsense'",
        "exchange.declare: type ''",
        "exchange.declare: type 'Direct'",
        "exchange.declare: type 'x-delayed-message'",
    ],
    "Dead letters that have been copied have the header x-death-copies.": [
        "dead letters: to several queues",
    ],
    "A body may have 16 MiB, and 406 comes at once after the content header. "
    "RabbitMQ's limit is 128 MiB.": [
        "publish: larger than 16 MiB",
        "content: body declared larger than the broker takes",
    ],
    "There are no streams.": [
        "arguments: x-queue-type stream, durable",
    ],
    "Every queue can have x-delivery-limit, and its value has to be a whole number of 0 or more.": [
        "arguments: x-delivery-limit on a classic queue",
        "arguments: x-delivery-limit of each type, on quorum queues",
    ],
    "The header x-delivery-count is absent on the first delivery, also with basic.get.": [
        "quorum: publish, get, ack",
        "quorum: x-delivery-count by get, without headers of its own",
        "quorum: transient message in a quorum queue",
    ],
    "A quorum queue is like all other queues: "
    "it also does what RabbitMQ's quorum queues cannot do.": [
        "quorum: exclusive consumer, single active consumer",
        "quorum: consumer with a global prefetch",
        "quorum: a requeued message goes to its place or to the end",
        "quorum: delete with if_empty",
        "quorum: delete with if_unused",
    ],
    "A consumer without credit leaves the rotation at once. "
    "RabbitMQ notices this with the next message.": [
        "qos: the one without credit loses its turn, and rejoins at the end",
    ],
    "There is no firehose, so there is no exchange for it.": [
        "exchange.declare: amq.rabbitmq.trace is there",
    ],
    "Names are bytes, because AMQP does not require UTF-8.": [
        "routing: bytes that are no UTF-8",
    ],
    "The keys of BCC are forgotten when the message has been routed.": [
        "dead letters: CC routes the dead letter too",
    ],
    "Each priority is a queue of its own: "
    "its head expires in time, whatever the higher priorities have.": [
        "x-max-priority: expiry of a low one under a high one",
    ],
    "A transaction is carried out with its commit, as a whole, and this includes routing.": [
        "tx: routed when it is published, not when it is committed",
        "tx: queue or exchange deleted before commit",
        "reply-to: answered in a transaction",
    ],
    "Each delivery on a channel has its own delivery_tag, and so has each reply.": [
        "reply-to: question and answer",
        "reply-to: with CC",
    ],
    "A reply that was delivered is not returned as unroutable.": [
        "reply-to: mandatory, confirms, properties",
    ],
    "A direct reply-to address that was never given does no harm. RabbitMQ fails on it with 541.": [
        "reply-to: an address that was never given",
    ],
}

EXPECTED = {name: reason for reason, names in REASONS.items() for name in names}
