package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func init() {
	add("connection: the broker's properties", func(t *T) {
		capabilities := t.conn.Properties["capabilities"].(amqp.Table)
		for _, name := range []string{"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
			"consumer_cancel_notify", "connection.blocked", "consumer_priorities",
			"authentication_failure_close", "per_consumer_qos", "direct_reply_to"} {
			if capabilities[name] != true {
				fail("no capability %s", name)
			}
		}
		if t.conn.Properties["product"].(string) == "" || t.conn.Properties["version"].(string) == "" {
			fail("no product or version")
		}
	})

	add("connection: properties, AMQPLAIN, what is negotiated", func(t *T) {
		properties := amqp.NewConnectionProperties()
		properties.SetClientConnectionName("a name")
		conn := t.dial(amqp.Config{
			SASL:       []amqp.Authentication{&amqp.AMQPlainAuth{Username: "guest", Password: "guest"}},
			ChannelMax: 5, FrameSize: 4096, Heartbeat: 7 * time.Second, Properties: properties,
		})
		equal([]any{conn.Config.ChannelMax, conn.Config.FrameSize, conn.Config.Heartbeat},
			[]any{5, 4096, 7 * time.Second})
		channel := must(conn.Channel())
		queue := t.queue(channel, "q", nil)
		body := bytes.Repeat([]byte("ab"), 20_001)
		publishTo(channel, "", queue, amqp.Publishing{Body: body})
		equal(bytes.Equal(take(channel, queue).Body, body), true)
	})

	add("connection: wrong password 403, unknown vhost 530", func(t *T) {
		refused := func(change func(*url.URL), want *amqp.Error) {
			address := must(url.Parse(brokerURL))
			change(address)
			if _, err := amqp.Dial(address.String()); err != want {
				fail("%v instead of %v", err, want)
			}
		}
		refused(func(u *url.URL) { u.User = url.UserPassword("guest", "wrong") }, amqp.ErrCredentials)
		refused(func(u *url.URL) { u.Path = "/no-such-vhost" }, amqp.ErrVhost)
	})

	add("connection: heartbeats keep an idle one", func(t *T) {
		conn := t.dial(amqp.Config{Heartbeat: time.Second})
		closed := conn.NotifyClose(make(chan *amqp.Error, 1))
		select {
		case err := <-closed:
			fail("closed: %v", err)
		case <-time.After(4 * time.Second):
		}
		check(must(conn.Channel()).Close())
	})

	add("connection: UpdateSecret", func(t *T) {
		check(t.conn.UpdateSecret("guest", "no reason"))
		check(t.channel().Close())
	})

	add("connection: close notifies, requeues in order, frees exclusive queues", func(t *T) {
		other := t.dial(amqp.Config{})
		closed := other.NotifyClose(make(chan *amqp.Error, 1))
		channel := must(other.Channel())
		queue := t.queue(channel, "q", nil)
		exclusive := must(channel.QueueDeclare("", false, false, true, false, nil)).Name
		publish(channel, queue, "a", "b", "c")
		bodies(consume(channel, queue, false, nil), 3)
		check(other.Close())
		if err, open := <-closed; open {
			fail("an orderly close gave %v", err)
		}
		mine := t.channel()
		ready(mine, queue, 3)
		first := get(mine, queue)
		equal([]any{string(first.Body), first.Redelivered}, []any{"a", true})
		equal(drain(mine, queue), "b c")
		t.refused(404, []string{exclusive}, func(channel *amqp.Channel) error {
			_, err := channel.QueueDeclarePassive(exclusive, false, false, true, false, nil)
			return err
		})
	})

	add("connection: errors that close it", func(t *T) {
		queue := t.queue(t.channel(), "q", nil)
		t.breaks(530, func(channel *amqp.Channel) error {
			for i := 0; i < 2; i++ {
				if _, err := channel.Consume(queue, "same", false, false, false, false, nil); err != nil {
					return err
				}
			}
			return nil
		})
		t.breaks(540, func(channel *amqp.Channel) error {
			return channel.Publish("", queue, false, true, amqp.Publishing{}) // immediate
		})
		t.breaks(540, func(channel *amqp.Channel) error { return channel.Flow(false) })
		t.breaks(540, func(channel *amqp.Channel) error { return channel.Recover(false) })
		t.breaks(540, func(channel *amqp.Channel) error { return channel.Qos(0, 1, false) })
		check(t.channel().Flow(true))
	})

	add("connection: thousands of channels after each other, hundreds at once", func(t *T) {
		for i := 0; i < 2500; i++ {
			check(t.channel().Close())
		}
		channels := make([]*amqp.Channel, 300)
		for i := range channels {
			channels[i] = t.channel()
		}
		queue := t.queue(channels[0], "q", nil)
		for i, channel := range channels {
			publish(channel, queue, fmt.Sprint(i))
		}
		ready(channels[0], queue, 300)
	})

	add("connection: blocked and unblocked", testBlocked)
}

// A broker without much memory says so to a publisher, and says when it is over.
func testBlocked(t *T) {
	address := os.Getenv("AMQP_BLOCKING_URL")
	if address == "" {
		panic(skipped("no broker with little memory"))
	}
	publisher := must(amqp.Dial(address))
	defer publisher.Close()
	blockings := publisher.NotifyBlocked(make(chan amqp.Blocking, 10))
	channel := must(publisher.Channel())
	queue := must(channel.QueueDeclare(t.prefix+"q", false, false, false, false, nil)).Name

	observer := must(amqp.Dial(address))
	defer observer.Close()
	other := must(observer.Channel())
	defer other.QueueDelete(queue, false, false, false)

	stop, stopped := make(chan bool), make(chan bool)
	go func() { // writes until nothing is read any more, and beyond
		defer close(stopped)
		body := make([]byte, 1<<20)
		for i := 0; i < 1000; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if channel.Publish("", queue, false, false, amqp.Publishing{Body: body}) != nil {
				return
			}
		}
	}()
	blocking := next(blockings, "connection.blocked")
	equal(blocking.Active, true)
	if blocking.Reason == "" {
		fail("no reason is given")
	}
	close(stop)
	// Who does not publish is not held up.
	must(other.QueueDeclarePassive(queue, false, false, false, false, nil))
	blocked := true
	eventually("connection.unblocked", func() bool {
		must(other.QueuePurge(queue, false))
		select {
		case blocking := <-blockings:
			blocked = blocking.Active
		default:
		}
		return !blocked
	})
	next(asClosed(stopped), "the publisher's end")
	// It may go on.
	must(channel.QueuePurge(queue, false))
	publish(channel, queue, "after")
	equal(string(take(channel, queue).Body), "after")
}

func asClosed(done <-chan bool) <-chan bool {
	value := make(chan bool, 1)
	go func() { <-done; value <- true }()
	return value
}
