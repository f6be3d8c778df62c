"""Where Haypile is right to differ from RabbitMQ 3.10. To do as RabbitMQ does is the rule: what is
here is either decided otherwise, or a place where RabbitMQ breaks down rather than answers."""

REASONS = {
    "a bad login is answered with 403; RabbitMQ breaks down on a malformed one": [
        "connection: login empty response",
        "connection: login one part",
    ],
    "an unknown mechanism is answered with 503; RabbitMQ drops the connection without a word": [
        "connection: unknown mechanism",
    ],
    "tuned out of range is answered with 530; RabbitMQ drops the connection without a word": [
        "connection: tune-ok channel_max higher",
        "connection: tune-ok channel_max 0",
        "connection: tune-ok frame_max higher",
        "connection: tune-ok frame_max 0",
        "connection: tune-ok frame_max 4095",
        "connection: tune-ok frame_max 100",
    ],
    "out of turn in the handshake is answered with 503; RabbitMQ drops the connection": [
        "connection: open before tune-ok",
        "connection: tune-ok before start-ok",
    ],
    "the specification lets a client close whenever it likes": [
        "connection: close before open",
    ],
    "what is unknown is answered with 503 or 540; RabbitMQ drops the connection without a word": [
        "frame: unknown class",
        "frame: unknown class on channel 0",
        "frame: unknown method",
        "frame: unknown method on channel 0",
    ],
    "a malformed table is answered with 502; RabbitMQ drops the connection without a word": [
        "frame: table with an unknown type",
        "frame: table that is cut off",
    ],
    "malformed properties are the client's error, 502; RabbitMQ breaks down on them, 541": [
        "content: properties cut off",
        "content: properties too long",
        "content: property flags that go on",
        "content: headers with an unknown type",
    ],
    "frames for a channel that waits for close-ok are discarded; RabbitMQ still looks at some": [
        "channel: half a message before close-ok is discarded",
        "channel: open while it waits for close-ok",
    ],
    "an unknown exchange type is the channel's error, 406, as in later versions of RabbitMQ": [
        "exchange.declare: type 'nonsense'",
        "exchange.declare: type ''",
        "exchange.declare: type 'Direct'",
        "exchange.declare: type 'x-delayed-message'",
    ],
    "dead letters that have been copied say so in the header x-death-copies": [
        "dead letters: to several queues",
    ],
    "16 MiB are the limit, and 406 comes with the header; RabbitMQ's limit is 128 MiB": [
        "publish: larger than 16 MiB",
        "content: body declared larger than the broker takes",
    ],
    "there are no streams": [
        "arguments: x-queue-type stream, durable",
    ],
    "any queue has x-delivery-limit, and its value has to be a number that makes sense": [
        "arguments: x-delivery-limit on a classic queue",
        "arguments: x-delivery-limit of each type, on quorum queues",
    ],
    "x-delivery-count is absent on the first delivery, by basic.get too": [
        "quorum: publish, get, ack",
        "quorum: x-delivery-count by get, without headers of its own",
        "quorum: transient message in a quorum queue",
    ],
    "a quorum queue is a queue like all others: what RabbitMQ's cannot do, it can": [
        "quorum: exclusive consumer, single active consumer",
        "quorum: consumer with a global prefetch",
        "quorum: a requeued message goes to its place or to the end",
        "quorum: delete with if_empty",
        "quorum: delete with if_unused",
    ],
    "who is out of credit leaves the line at once; RabbitMQ notices with the next message": [
        "qos: the one without credit loses its turn, and rejoins at the end",
    ],
    "there is no firehose, so there is no exchange for it": [
        "exchange.declare: amq.rabbitmq.trace is there",
    ],
    "names are bytes: AMQP does not ask for UTF-8": [
        "routing: bytes that are no UTF-8",
    ],
    "a blind copy is blind: the keys of BCC are forgotten when the message has been routed": [
        "dead letters: CC routes the dead letter too",
    ],
    "each priority is a queue of its own: its head expires in time, whatever is above it": [
        "x-max-priority: expiry of a low one under a high one",
    ],
    "a transaction is carried out with its commit, as a whole, routing included": [
        "tx: routed when it is published, not when it is committed",
        "tx: queue or exchange deleted before commit",
        "reply-to: answered in a transaction",
    ],
    "each delivery of a channel has a tag of its own, replies too": [
        "reply-to: question and answer",
        "reply-to: with CC",
    ],
    "a reply that was delivered is not returned as unroutable": [
        "reply-to: mandatory, confirms, properties",
    ],
    "RabbitMQ breaks down on it, 541": [
        "reply-to: an address that was never given",
    ],
}

EXPECTED = {name: reason for reason, names in REASONS.items() for name in names}
