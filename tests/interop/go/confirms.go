package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func confirming(t *T) *amqp.Channel {
	channel := t.channel()
	check(channel.Confirm(false))
	return channel
}

// A publisher uses deferred confirmations. Version 1.5 of the library misses one that comes before the
// call that published has returned, which happens with a fast broker; a listener does not miss it.
type publisher struct {
	*amqp.Channel
	mutex sync.Mutex
	heard map[uint64]chan bool
}

func newPublisher(t *T) *publisher {
	p := &publisher{Channel: confirming(t), heard: map[uint64]chan bool{}}
	confirms := p.NotifyPublish(make(chan amqp.Confirmation, 100))
	go func() {
		for confirmation := range confirms {
			p.listener(confirmation.DeliveryTag) <- confirmation.Ack
		}
	}()
	return p
}

func (p *publisher) listener(tag uint64) chan bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.heard[tag] == nil {
		p.heard[tag] = make(chan bool, 1)
	}
	return p.heard[tag]
}

func (p *publisher) send(queue, body string) *amqp.DeferredConfirmation {
	return must(p.PublishWithDeferredConfirmWithContext(context.Background(), "", queue, false, false,
		amqp.Publishing{Body: []byte(body), DeliveryMode: amqp.Persistent}))
}

// acked waits for the confirmation, in time.
func (p *publisher) acked(confirmation *amqp.DeferredConfirmation) bool {
	outcome := make(chan bool, 2)
	go func() { outcome <- confirmation.Wait() }()
	go func() { outcome <- <-p.listener(confirmation.DeliveryTag) }()
	return next(outcome, fmt.Sprintf("the confirm of %d", confirmation.DeliveryTag))
}

func init() {
	add("confirms: 2,000 deferred confirmations in a pipeline", func(t *T) {
		channel := newPublisher(t)
		queue := t.queue(channel.Channel, "q", nil)
		var all []*amqp.DeferredConfirmation
		for i := 0; i < 2000; i++ {
			all = append(all, channel.send(queue, fmt.Sprint(i)))
		}
		for i, confirmation := range all {
			equal(confirmation.DeliveryTag, uint64(i+1))
			equal(channel.acked(confirmation), true)
		}
		equal(inspect(channel.Channel, queue).Messages, 2000)
		check(channel.Qos(50, 0, false))
		deliveries := consume(channel.Channel, queue, false, nil)
		for i := 0; i < 2000; i++ {
			message := next(deliveries, "a delivery")
			equal(string(message.Body), fmt.Sprint(i))
			check(message.Ack(false))
		}
		ready(channel.Channel, queue, 0)
	})

	add("confirms: NotifyPublish in order, each once", func(t *T) {
		channel := confirming(t)
		confirms := channel.NotifyPublish(make(chan amqp.Confirmation, 1000))
		queue := t.queue(channel, "q", nil)
		for i := 0; i < 500; i++ {
			equal(channel.GetNextPublishSeqNo(), uint64(i+1))
			publish(channel, queue, "x")
		}
		for i := 0; i < 500; i++ {
			equal(next(confirms, "a confirm"), amqp.Confirmation{DeliveryTag: uint64(i + 1), Ack: true})
		}
	})

	add("confirms: NotifyReturn before the confirm", func(t *T) {
		channel := confirming(t)
		// Without buffers: whoever is told first is received first.
		returns := channel.NotifyReturn(make(chan amqp.Return))
		confirms := channel.NotifyPublish(make(chan amqp.Confirmation))
		check(channel.Publish("amq.direct", "nowhere", true, false,
			amqp.Publishing{Body: []byte("body"), Type: "t", Headers: amqp.Table{"h": int32(1)}}))
		select {
		case returned := <-returns:
			equal([]any{returned.ReplyCode, returned.ReplyText, returned.Exchange, returned.RoutingKey},
				[]any{uint16(312), "NO_ROUTE", "amq.direct", "nowhere"})
			equal([]any{string(returned.Body), returned.Type, returned.Headers["h"]}, []any{"body", "t", int32(1)})
		case confirmation := <-confirms:
			fail("%v before the return", confirmation)
		case <-time.After(patience):
			fail("waited in vain for the return")
		}
		equal(next(confirms, "the confirm").Ack, true)
	})

	add("confirms: reject-publish nacks", func(t *T) {
		channel := newPublisher(t)
		queue := t.queue(channel.Channel, "q", amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		equal(channel.acked(channel.send(queue, "a")), true)
		equal(channel.acked(channel.send(queue, "b")), false)
		equal(drain(channel.Channel, queue), "a")
	})

	add("confirms: eight channels at once, all messages are consumed", func(t *T) {
		queue := t.queue(t.channel(), "q", nil)
		outcomes := make(chan bool, 16)
		for worker := 0; worker < 8; worker++ {
			go func(channel *publisher) {
				var last *amqp.DeferredConfirmation
				for i := 0; i < 250; i++ {
					last = channel.send(queue, "x")
				}
				outcomes <- channel.acked(last)
			}(newPublisher(t))
		}
		received := make(chan bool, 2000)
		for worker := 0; worker < 4; worker++ {
			channel := t.channel()
			check(channel.Qos(10, 0, false))
			deliveries := consume(channel, queue, false, nil)
			go func() {
				for message := range deliveries {
					received <- message.Ack(false) == nil
				}
			}()
		}
		for i := 0; i < 8; i++ {
			equal(next(outcomes, "a publisher"), true)
		}
		for i := 0; i < 2000; i++ {
			equal(next(received, "a message"), true)
		}
		ready(t.channel(), queue, 0)
	})
}
