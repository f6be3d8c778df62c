package main

import amqp "github.com/rabbitmq/amqp091-go"

func init() {
	add("topology: exchanges of each type, bound to each other", func(t *T) {
		channel := t.channel()
		source, queue := t.exchangeName("source"), t.queue(channel, "q", nil)
		check(channel.ExchangeDeclare(source, "topic", true, false, false, false, nil))
		for _, kind := range []string{"direct", "fanout", "topic", "headers"} {
			exchange := t.exchangeName(kind)
			check(channel.ExchangeDeclare(exchange, kind, false, true, true, false, nil)) // internal
			check(channel.ExchangeBind(exchange, kind+".#", source, false, nil))
			arguments := amqp.Table{"x-match": "all", "number": int16(5)}
			check(channel.QueueBind(queue, kind+".key", exchange, false, arguments))
			publishTo(channel, source, kind+".key", amqp.Publishing{
				Body: []byte(kind), Headers: amqp.Table{"number": int64(5)},
			})
			equal(string(take(channel, queue).Body), kind)
			t.refused(403, []string{exchange}, func(channel *amqp.Channel) error {
				return channel.Publish(exchange, "", false, false, amqp.Publishing{})
			})
			check(channel.QueueUnbind(queue, kind+".key", exchange, arguments)) // auto-delete
			t.refused(404, []string{exchange}, func(channel *amqp.Channel) error {
				return channel.ExchangeDeclarePassive(exchange, kind, false, true, true, false, nil)
			})
		}
	})

	add("topology: an alternate exchange", func(t *T) {
		channel := t.channel()
		first, second, queue := t.exchangeName("first"), t.exchangeName("second"), t.queue(channel, "q", nil)
		check(channel.ExchangeDeclare(second, "fanout", true, false, false, false, nil))
		check(channel.ExchangeDeclare(first, "headers", true, false, false, false,
			amqp.Table{"alternate-exchange": second}))
		check(channel.QueueBind(queue, "", second, false, nil))
		publishTo(channel, first, "key", amqp.Publishing{Body: []byte("x")})
		equal(string(take(channel, queue).Body), "x")
	})

	add("topology: refusals", func(t *T) {
		channel := t.channel()
		queue, exchange := t.queue(channel, "q", amqp.Table{"x-expires": 60_000}), t.exchangeName("e")
		missing := t.queueName("missing")
		check(channel.ExchangeDeclare(exchange, "direct", true, false, false, false, nil))
		check(channel.QueueBind(queue, "k", exchange, false, nil))
		publishTo(channel, exchange, "k", amqp.Publishing{})
		ready(channel, queue, 1)
		t.refused(404, []string{missing}, func(channel *amqp.Channel) error {
			_, _, err := channel.Get(missing, false)
			return err
		})
		t.refused(404, []string{missing}, func(channel *amqp.Channel) error {
			return channel.QueueBind(queue, "", missing, false, nil)
		})
		declare := func(name string, durable bool, arguments amqp.Table) func(*amqp.Channel) error {
			return func(channel *amqp.Channel) error {
				_, err := channel.QueueDeclare(name, durable, false, false, false, arguments)
				return err
			}
		}
		t.refused(406, []string{queue, "durable"}, declare(queue, false, amqp.Table{"x-expires": 60_000}))
		t.refused(406, []string{queue, "x-expires"}, declare(queue, true, amqp.Table{"x-expires": 60_001}))
		t.refused(406, []string{queue, "x-expires"}, declare(queue, true, nil))
		t.refused(406, []string{missing, "x-expires"}, declare(missing, true, amqp.Table{"x-expires": 0}))
		t.refused(403, []string{"amq.mine"}, declare("amq.mine", true, nil))
		t.refused(406, []string{exchange, "type"}, func(channel *amqp.Channel) error {
			return channel.ExchangeDeclare(exchange, "fanout", true, false, false, false, nil)
		})
		t.refused(406, []string{exchange}, func(channel *amqp.Channel) error {
			return channel.ExchangeDelete(exchange, true, false)
		})
		t.refused(406, []string{queue}, func(channel *amqp.Channel) error {
			_, err := channel.QueueDelete(queue, false, true, false)
			return err
		})
		equal(must(channel.QueueDelete(queue, true, false, false)), 1)
		equal(must(channel.QueueDelete(queue, false, false, false)), 0)
		check(declare(queue, true, amqp.Table{"x-expires": int64(30_000)})(channel))
		check(declare(queue, true, amqp.Table{"x-expires": int16(30_000)})(channel))
	})
}
