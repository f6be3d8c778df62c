package main

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

func init() {
	add("consumers: Qos of a consumer and of the channel", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", nil)
		publish(channel, queue, strings.Split("1 2 3 4 5 6 7 8 9", " ")...)
		check(channel.Qos(2, 0, false))
		first, second := consume(channel, queue, false, nil), consume(channel, queue, false, nil)
		_, last := bodies(first, 2)
		bodies(second, 2)
		ready(channel, queue, 5)
		check(last.Ack(true)) // up to the last of the first consumer
		check(channel.Close())

		channel = t.channel()
		count := 9 - int(last.DeliveryTag)
		ready(channel, queue, count)
		check(channel.Qos(3, 0, true))
		all := make(chan amqp.Delivery, 100)
		for i := 0; i < 2; i++ {
			deliveries := consume(channel, queue, false, nil)
			go func() {
				for delivery := range deliveries {
					all <- delivery
				}
			}()
		}
		_, last = bodies(all, 3)
		ready(channel, queue, count-3)
		check(last.Ack(false))
		bodies(all, 1)
		ready(channel, queue, count-4)
	})

	add("consumers: Nack multiple, Reject, Recover", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", nil)
		publish(channel, queue, "1", "2", "3", "4", "5")
		ready(channel, queue, 5)
		get(channel, queue)
		second, third := get(channel, queue), get(channel, queue)
		check(second.Nack(true, true)) // 1 and 2 are back
		ready(channel, queue, 4)
		check(third.Nack(false, false)) // 3 is gone
		again := get(channel, queue)
		equal([]any{string(again.Body), again.Redelivered}, []any{"1", true})
		check(again.Reject(true))
		ready(channel, queue, 4)
		check(get(channel, queue).Reject(false)) // 1 is gone
		get(channel, queue)
		get(channel, queue)
		check(channel.Nack(0, true, true)) // all: 2 and 4 are back
		ready(channel, queue, 3)
		get(channel, queue)
		check(channel.Recover(true))
		ready(channel, queue, 3)
		equal(drain(channel, queue), "2 4 5")
		t.closes(channel, 406, []string{"unknown delivery tag 99"},
			func(channel *amqp.Channel) error { return channel.Ack(99, false) })
	})

	add("consumers: NotifyCancel when the queue is deleted", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", nil)
		cancels := channel.NotifyCancel(make(chan string, 1))
		deliveries := must(channel.Consume(queue, "tag", false, false, false, false, nil))
		must(t.channel().QueueDelete(queue, false, false, false))
		equal(next(cancels, "the cancellation"), "tag")
		eventually("the deliveries' end", func() bool {
			_, open := <-deliveries
			return !open
		})
		equal(inspect(channel, t.queue(channel, "q", nil)).Consumers, 0)
	})

	add("consumers: Cancel, what is unacknowledged stays so", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", nil)
		publish(channel, queue, "1", "2")
		deliveries := must(channel.Consume(queue, "tag", false, false, false, false, nil))
		_, last := bodies(deliveries, 2)
		check(channel.Cancel("tag", false))
		publish(channel, queue, "3")
		ready(channel, queue, 1)
		check(last.Ack(true))
		equal(drain(channel, queue), "3")
		deliveries = must(channel.Consume(queue, "tag", false, false, false, false, nil)) // free again
		publish(channel, queue, "4")
		bodies(deliveries, 1)
		check(channel.Cancel("tag", true))
		equal(inspect(channel, queue).Consumers, 0)
	})

	add("consumers: noWait everywhere", func(t *T) {
		channel := t.channel()
		queue, exchange, second := t.queueName("q"), t.exchangeName("e"), t.exchangeName("f")
		must(channel.QueueDeclare(queue, true, false, false, true, nil))
		check(channel.ExchangeDeclare(exchange, "topic", true, false, false, true, nil))
		check(channel.ExchangeDeclare(second, "fanout", true, false, false, true, nil))
		check(channel.ExchangeBind(exchange, "", second, true, nil))
		check(channel.QueueBind(queue, "a.*", exchange, true, nil))
		deliveries := must(channel.Consume(queue, "tag", true, false, false, true, nil))
		publishTo(channel, second, "a.b", amqp.Publishing{Body: []byte("x")})
		bodies(deliveries, 1)
		check(channel.Cancel("tag", true))
		check(channel.ExchangeUnbind(exchange, "", second, true, nil))
		publishTo(channel, exchange, "a.b", amqp.Publishing{Body: []byte("x")})
		ready(channel, queue, 1)
		must(channel.QueuePurge(queue, true))
		ready(channel, queue, 0)
		check(channel.ExchangeDelete(second, false, true))
		must(channel.QueueDelete(queue, false, false, true))
		t.closes(channel, 404, []string{queue}, func(channel *amqp.Channel) error {
			_, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil)
			return err
		})
	})

	add("consumers: exclusive 403, priorities, a single active one", func(t *T) {
		channel := t.channel()
		exclusive := t.queue(channel, "exclusive", nil)
		must(channel.Consume(exclusive, "", false, true, false, false, nil))
		t.refused(403, []string{exclusive}, func(channel *amqp.Channel) error {
			_, err := channel.Consume(exclusive, "", false, false, false, false, nil)
			return err
		})

		ranked := t.queue(channel, "ranked", nil)
		check(channel.Qos(1, 0, false))
		low := consume(channel, ranked, false, amqp.Table{"x-priority": -5})
		high := consume(channel, ranked, false, amqp.Table{"x-priority": int64(5)})
		publish(channel, ranked, "1", "2")
		equal(next(high, "the first message").Body, []byte("1"))
		equal(next(low, "the second message").Body, []byte("2"))

		single := t.queue(channel, "single", amqp.Table{"x-single-active-consumer": true})
		active := t.channel()
		first := consume(active, single, false, nil)
		second := consume(channel, single, true, nil)
		publish(channel, single, "1", "2", "3")
		equal(first2(bodies(first, 3)), "1 2 3")
		check(active.Close())
		equal(first2(bodies(second, 3)), "1 2 3")
	})

	add("consumers: RPC by direct reply-to, from eight clients", func(t *T) {
		server := t.channel()
		queue := t.queue(server, "q", nil)
		requests := consume(server, queue, true, nil)
		go func() {
			for request := range requests {
				_ = server.Publish("", request.ReplyTo, false, false, amqp.Publishing{
					CorrelationId: request.CorrelationId, Body: append(request.Body, '!'),
				})
			}
		}()
		answers := make(chan string, 8)
		for client := 0; client < 8; client++ {
			channel := must(t.dial(amqp.Config{}).Channel())
			replies := consume(channel, "amq.rabbitmq.reply-to", true, nil)
			id := fmt.Sprint(client)
			publishTo(channel, "", queue, amqp.Publishing{
				ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: id, Body: []byte(id),
			})
			go func() {
				reply := <-replies
				if reply.CorrelationId != id {
					reply.Body = []byte("somebody else's")
				}
				answers <- string(reply.Body)
			}()
		}
		seen := map[string]bool{}
		for client := 0; client < 8; client++ {
			seen[next(answers, "a reply")] = true
		}
		for client := 0; client < 8; client++ {
			equal(seen[fmt.Sprintf("%d!", client)], true)
		}
	})
}

func first2[V, W any](value V, _ W) V {
	return value
}
