package main

import (
	"bytes"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Every type that the library can send and tell from the others.
var typed = amqp.Table{
	"true": true, "false": false, "uint8": byte(250), "int8": int8(-5), "int16": int16(-30_000),
	"int32": int32(-2_000_000_000), "int64": int64(-9_000_000_000_000_000_000),
	"float32": float32(0.1), "float64": 1.0 / 3, "decimal": amqp.Decimal{Scale: 2, Value: 12345},
	"string": "Grüße", "empty": "", "bytes": []byte{0, 1, 255}, "time": time.Unix(1_700_000_000, 0),
	"nil": nil, "table": amqp.Table{"in": amqp.Table{"deep": int64(1)}, "none": amqp.Table{}},
	"list": []any{int8(1), "two", nil, []any{3.5, amqp.Table{"four": int16(4)}}},
}

func init() {
	add("messages: properties, and tables whose types stay", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", nil)
		sent := amqp.Publishing{
			Headers: typed, ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
			Priority: 7, CorrelationId: "correlation", ReplyTo: "reply", Expiration: "600000", MessageId: "id",
			Timestamp: time.Unix(1_700_000_000, 0), Type: "type", UserId: "guest", AppId: "app", Body: []byte("x"),
		}
		publishTo(channel, "", queue, sent)
		got := take(channel, queue)
		for name, value := range typed {
			equal(fmt.Sprintf("%T %#v", got.Headers[name], got.Headers[name]), fmt.Sprintf("%T %#v", value, value))
		}
		equal(len(got.Headers), len(typed))
		equal(amqp.Publishing{
			Headers: typed, ContentType: got.ContentType, ContentEncoding: got.ContentEncoding,
			DeliveryMode: got.DeliveryMode, Priority: got.Priority, CorrelationId: got.CorrelationId,
			ReplyTo: got.ReplyTo, Expiration: got.Expiration, MessageId: got.MessageId, Timestamp: got.Timestamp,
			Type: got.Type, UserId: got.UserId, AppId: got.AppId, Body: got.Body,
		}, sent)
	})

	add("messages: big, empty, and at the edges of frames", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", nil)
		deliveries := consume(channel, queue, true, nil)
		frame := t.conn.Config.FrameSize
		for _, size := range []int{0, 1, frame - 9, frame - 8, frame - 7, 2 * (frame - 8), 3_000_001} {
			body := bytes.Repeat([]byte{byte(size)}, size)
			publishTo(channel, "", queue, amqp.Publishing{Body: body})
			equal(bytes.Equal(next(deliveries, fmt.Sprint(size, " bytes")).Body, body), true)
		}
	})

	add("messages: dead letters, with x-death", func(t *T) {
		channel := t.channel()
		dead := t.queue(channel, "dead", nil)
		queue := t.queue(channel, "q", amqp.Table{
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": int32(40),
		})
		publishTo(channel, "", queue, amqp.Publishing{Body: []byte("x"), Expiration: "30"})
		message := take(channel, dead)
		death := message.Headers["x-death"].([]any)[0].(amqp.Table)
		equal(time.Since(death["time"].(time.Time)) < 5*time.Minute, true)
		delete(death, "time")
		equal(death, amqp.Table{"count": int64(1), "reason": "expired", "queue": queue, "exchange": "",
			"routing-keys": []any{queue}, "original-expiration": "30"})
		equal([]any{message.Headers["x-first-death-queue"], message.Expiration}, []any{queue, ""})
	})

	add("messages: priorities, max-length, CC", func(t *T) {
		channel := t.channel()
		queue := t.queue(channel, "q", amqp.Table{"x-max-priority": byte(3)})
		short := t.queue(channel, "short", amqp.Table{"x-max-length": int64(1)})
		for priority := uint8(0); priority < 3; priority++ {
			publishTo(channel, "", queue, amqp.Publishing{
				Priority: priority, Body: []byte(fmt.Sprint(priority)), Headers: amqp.Table{"CC": []any{short}},
			})
		}
		ready(channel, queue, 3)
		equal(drain(channel, queue), "2 1 0")
		ready(channel, short, 1)
		equal(drain(channel, short), "2")
	})

	add("messages: refused ones", func(t *T) {
		queue, missing := t.queue(t.channel(), "q", nil), t.exchangeName("missing")
		refused := func(code int, part, exchange string, message amqp.Publishing) {
			t.refused(code, []string{part}, func(channel *amqp.Channel) error {
				return channel.Publish(exchange, queue, false, false, message)
			})
		}
		refused(404, missing, missing, amqp.Publishing{})
		refused(406, "somebody", "", amqp.Publishing{UserId: "somebody"})
		refused(406, "expiration", "", amqp.Publishing{Expiration: "-1"})
	})
}
