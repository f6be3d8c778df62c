package main

import amqp "github.com/rabbitmq/amqp091-go"

func transactional(t *T) *amqp.Channel {
	channel := t.channel()
	check(channel.Tx())
	return channel
}

func init() {
	add("tx: what is published comes with the commit, or not at all", func(t *T) {
		channel, other := transactional(t), t.channel()
		queue := t.queue(channel, "q", nil)
		publish(channel, queue, "a", "b")
		equal(inspect(channel, queue).Messages, 0)
		check(channel.TxCommit())
		equal(inspect(other, queue).Messages, 2)
		publish(channel, queue, "dropped")
		check(channel.TxRollback())
		check(channel.TxCommit())
		publish(channel, queue, "c")
		check(channel.TxCommit())
		equal(drain(other, queue), "a b c")
	})

	add("tx: acknowledgements, too", func(t *T) {
		channel, other := transactional(t), t.channel()
		queue := t.queue(channel, "q", nil)
		publish(other, queue, "a", "b", "c")
		ready(other, queue, 3)
		check(get(channel, queue).Ack(false))
		check(channel.TxCommit())
		check(get(channel, queue).Ack(false))
		check(channel.TxRollback()) // "b" is unacknowledged again
		check(get(channel, queue).Reject(false))
		check(channel.TxCommit())
		check(channel.Close())
		ready(other, queue, 1)
		equal(drain(other, queue), "b")
	})

	add("tx: after a rollback the same message can be acknowledged", func(t *T) {
		channel, other := transactional(t), t.channel()
		queue := t.queue(channel, "q", nil)
		publish(other, queue, "a")
		ready(other, queue, 1)
		message := get(channel, queue)
		check(message.Ack(false))
		check(channel.TxRollback())
		check(message.Ack(false))
		check(channel.TxCommit())
		check(channel.Close())
		equal(drain(other, queue), "")
	})

	add("tx: an uncommitted one ends with its channel", func(t *T) {
		channel, other := transactional(t), t.channel()
		queue := t.queue(channel, "q", nil)
		publish(other, queue, "a")
		ready(other, queue, 1)
		check(get(channel, queue).Ack(false))
		publish(channel, queue, "b")
		check(channel.Close())
		ready(other, queue, 1)
		equal(drain(other, queue), "a")
	})

	add("tx: a return comes with the commit", func(t *T) {
		channel := transactional(t)
		returns := channel.NotifyReturn(make(chan amqp.Return, 1))
		check(channel.Publish("", "no such queue", true, false, amqp.Publishing{Body: []byte("x")}))
		check(channel.TxCommit())
		equal(string(next(returns, "the return").Body), "x")
	})

	add("tx: misuse is 406", func(t *T) {
		t.refused(406, nil, (*amqp.Channel).TxCommit)
		t.refused(406, nil, (*amqp.Channel).TxRollback)
		t.closes(transactional(t), 406, nil, func(channel *amqp.Channel) error { return channel.Confirm(false) })
		t.closes(confirming(t), 406, nil, (*amqp.Channel).Tx)
		check(transactional(t).Tx()) // twice is ok
	})
}
