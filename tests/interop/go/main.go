// amqp091-go, the client library for Go, against the broker at AMQP_URL.
//
//	AMQP_URL=amqp://… PROGRAM [PART OF NAME…]
//
// Needs: golang-go and golang-github-rabbitmq-amqp091-go-dev, whose sources are the GOPATH
// /usr/share/gocode; ../go_test.py builds it with them alone and runs it, against a Haypile of its own
// or the broker at HAYPILE_TEST_URI. With AMQP_BLOCKING_URL, a broker with little memory that nobody
// else uses, connection.blocked is tested too. What passes on RabbitMQ 3.10: every case.
// One line a case.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Generous, for slow builds on a busy machine. Nothing takes that long when all is well.
const patience = 30 * time.Second

var brokerURL = "amqp://guest:guest@127.0.0.1:5672"

type testCase struct {
	name string
	body func(*T)
}

var cases []testCase

func add(name string, body func(*T)) {
	cases = append(cases, testCase{name, body})
}

// Skipped is what a case panics with that cannot run here.
type skipped string

// T is what a case works with: a connection of its own, and names that nobody else has.
type T struct {
	conn      *amqp.Connection
	prefix    string
	queues    []string
	exchanges []string
	all       []*amqp.Connection
}

func fail(format string, arguments ...any) {
	panic(fmt.Errorf(format, arguments...))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[V any](value V, err error) V {
	check(err)
	return value
}

func equal[V any](got, want V) {
	if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
		fail("got %s instead of %s", g, w)
	}
}

// next receives one value, in time.
func next[V any](channel <-chan V, what string) V {
	select {
	case value, open := <-channel:
		if !open {
			fail("the channel ended instead of %s", what)
		}
		return value
	case <-time.After(patience):
		fail("waited in vain for %s", what)
	}
	panic("not reached")
}

func eventually(what string, condition func() bool) {
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			fail("waited in vain for %s", what)
		}
	}
}

func (t *T) dial(config amqp.Config) *amqp.Connection {
	conn := must(amqp.DialConfig(brokerURL, config))
	t.all = append(t.all, conn)
	return conn
}

func (t *T) channel() *amqp.Channel {
	return must(t.conn.Channel())
}

func (t *T) queueName(name string) string {
	t.queues = append(t.queues, t.prefix+name)
	return t.prefix + name
}

func (t *T) exchangeName(name string) string {
	t.exchanges = append(t.exchanges, t.prefix+name)
	return t.prefix + name
}

// queue declares a durable queue.
func (t *T) queue(channel *amqp.Channel, name string, arguments amqp.Table) string {
	return must(channel.QueueDeclare(t.queueName(name), true, false, false, false, arguments)).Name
}

func publish(channel *amqp.Channel, queue string, bodies ...string) {
	for _, body := range bodies {
		publishTo(channel, "", queue, amqp.Publishing{Body: []byte(body)})
	}
}

func publishTo(channel *amqp.Channel, exchange, key string, message amqp.Publishing) {
	check(channel.PublishWithContext(context.Background(), exchange, key, false, false, message))
}

func consume(channel *amqp.Channel, queue string, autoAck bool, arguments amqp.Table) <-chan amqp.Delivery {
	return must(channel.Consume(queue, "", autoAck, false, false, false, arguments))
}

// bodies receives so many deliveries and gives what is in them, and the last.
func bodies(deliveries <-chan amqp.Delivery, count int) (texts string, last amqp.Delivery) {
	var all []string
	for len(all) < count {
		last = next(deliveries, fmt.Sprintf("delivery %d of %d", len(all)+1, count))
		all = append(all, string(last.Body))
	}
	return strings.Join(all, " "), last
}

func get(channel *amqp.Channel, queue string) amqp.Delivery {
	message, there, err := channel.Get(queue, false)
	check(err)
	if !there {
		fail("nothing is ready in %s", queue)
	}
	return message
}

// take waits for a message in the queue.
func take(channel *amqp.Channel, queue string) (message amqp.Delivery) {
	eventually("a message in "+queue, func() (there bool) {
		var err error
		message, there, err = channel.Get(queue, true)
		check(err)
		return there
	})
	return message
}

// drain takes all that is ready.
func drain(channel *amqp.Channel, queue string) string {
	var all []string
	for {
		message, there, err := channel.Get(queue, true)
		check(err)
		if !there {
			return strings.Join(all, " ")
		}
		all = append(all, string(message.Body))
	}
}

func ready(channel *amqp.Channel, queue string, count int) {
	eventually(fmt.Sprintf("%d ready messages in %s", count, queue), func() bool {
		return inspect(channel, queue).Messages == count
	})
}

func inspect(channel *amqp.Channel, queue string) amqp.Queue {
	return must(channel.QueueDeclarePassive(queue, true, false, false, false, nil))
}

// refused demands that the action closes its channel, which is a new one, with this code and a text
// that has these parts, and that the connection lives.
func (t *T) refused(code int, parts []string, action func(*amqp.Channel) error) {
	t.closes(t.channel(), code, parts, action)
}

func (t *T) closes(channel *amqp.Channel, code int, parts []string, action func(*amqp.Channel) error) {
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	answer := action(channel) // an error, too, where there is an answer
	expectError(next(closed, fmt.Sprintf("channel error %d (the call gave %v)", code, answer)), code, parts)
	var failure *amqp.Error
	if errors.As(answer, &failure) && failure.Code != code && failure != amqp.ErrClosed {
		fail("%v", answer)
	}
	check(t.channel().Close())
}

func expectError(failure *amqp.Error, code int, parts []string) {
	if failure.Code != code || !failure.Server {
		fail("%v instead of %d", failure, code)
	}
	for _, part := range parts {
		if !strings.Contains(failure.Reason, part) {
			fail("%s is not in: %s", part, failure.Reason)
		}
	}
}

// breaks demands that the action closes its connection, which is a new one, with this code.
func (t *T) breaks(code int, action func(*amqp.Channel) error) {
	conn := t.dial(amqp.Config{})
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	_ = action(must(conn.Channel()))
	expectError(next(closed, fmt.Sprintf("connection error %d", code)), code, nil)
}

func (t *T) cleanUp() {
	for _, conn := range t.all {
		_ = conn.Close() // may be closed
	}
	broom, err := amqp.Dial(brokerURL)
	if err != nil {
		fmt.Println("# clean-up:", err)
		return
	}
	defer broom.Close()
	channel := must(broom.Channel())
	for _, queue := range t.queues {
		must(channel.QueueDelete(queue, false, false, false))
	}
	for _, exchange := range t.exchanges {
		check(channel.ExchangeDelete(exchange, false, false))
	}
}

// run gives the outcome of one case: "", or why it was skipped, or what was wrong.
func run(one testCase, number int) (skip string, failure error) {
	t := &T{prefix: fmt.Sprintf("go-%d-%d-", os.Getpid(), number)}
	finished := make(chan any, 1)
	go func() {
		defer func() {
			problem := recover()
			if problem != nil && os.Getenv("VERBOSE") != "" {
				fmt.Printf("%s\n", debug.Stack())
			}
			finished <- problem
		}()
		t.conn = t.dial(amqp.Config{})
		one.body(t)
	}()
	select {
	case problem := <-finished:
		switch problem := problem.(type) {
		case nil:
		case skipped:
			skip = string(problem)
		case error:
			failure = problem
		default:
			failure = fmt.Errorf("%v", problem)
		}
	case <-time.After(4 * patience):
		return "", errors.New("waited in vain for the end of the case")
	}
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Println("# clean-up:", problem)
		}
	}()
	t.cleanUp()
	return skip, failure
}

func chosen(name string) bool {
	for _, part := range os.Args[1:] {
		if strings.Contains(name, part) {
			return true
		}
	}
	return len(os.Args) == 1
}

func main() {
	if url := os.Getenv("AMQP_URL"); url != "" {
		brokerURL = url
	}
	passed, failed, skips := 0, 0, 0
	for number, one := range cases {
		if !chosen(one.name) {
			continue
		}
		skip, err := run(one, number)
		switch {
		case err != nil:
			fmt.Printf("not ok - %s: %s\n", one.name, strings.ReplaceAll(err.Error(), "\n", " | "))
			failed++
		case skip != "":
			fmt.Printf("ok - %s # SKIP %s\n", one.name, skip)
			skips++
		default:
			fmt.Printf("ok - %s\n", one.name)
			passed++
		}
	}
	fmt.Printf("# amqp091-go: %d passed, %d failed, %d skipped\n", passed, failed, skips)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
