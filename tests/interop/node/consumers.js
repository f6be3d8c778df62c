// Consumers: prefetch, cancellation, priorities, single active consumer, direct reply-to.
"use strict";
const assert = require("node:assert/strict");
const { test, eventually, Inbox, text } = require("./support.js");

async function fill(channel, queue, count) {
  for (let i = 1; i <= count; ++i) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await channel.checkQueue(queue);
}

test("consumers: prefetch of a consumer", async (t) => {
  const { channel, queue } = await t.queue();
  await fill(channel, queue, 10);
  const [first, second, third] = [new Inbox(), new Inbox(), new Inbox()];
  await channel.prefetch(2);
  await channel.consume(queue, first.take);
  await channel.consume(queue, second.take); // has two of its own
  await Promise.all([first.bodies(2), second.bodies(2)]);
  await t.ready(channel, queue, 6);
  await channel.prefetch(1); // for those that come later
  await channel.consume(queue, third.take);
  assert.deepEqual(await third.bodies(1), ["5"]);
  await t.ready(channel, queue, 5);
  channel.ack(first.all[0]);
  assert.deepEqual(await first.bodies(1), ["6"]);
  await t.ready(channel, queue, 4);
  assert.deepEqual([first.all.length, second.all.length, third.all.length], [3, 2, 1]);
  assert.equal((await channel.checkQueue(queue)).consumerCount, 3);
});

test("consumers: prefetch of the channel", async (t) => {
  const { channel, queue } = await t.queue();
  await fill(channel, queue, 10);
  await channel.prefetch(3, true);
  const all = new Inbox();
  await channel.consume(queue, all.take);
  await channel.consume(queue, all.take);
  const taken = [await all.next(), await all.next(), await all.next()];
  await t.ready(channel, queue, 7);
  assert.equal(all.all.length, 3);
  channel.ack(taken[0]);
  await all.next();
  await t.ready(channel, queue, 6);
  channel.nack(taken[1], false, false);
  await all.next();
  await t.ready(channel, queue, 5);
  await channel.prefetch(0, true); // no limit any more
  await all.bodies(5);
  await t.ready(channel, queue, 0);
});

test("consumers: without acknowledgements prefetch is no limit", async (t) => {
  const { channel, queue } = await t.queue();
  await fill(channel, queue, 5);
  await channel.prefetch(1);
  const inbox = new Inbox();
  await channel.consume(queue, inbox.take, { noAck: true });
  assert.deepEqual(await inbox.bodies(5), ["1", "2", "3", "4", "5"]);
  await t.ready(channel, queue, 0);
});

test("consumers: they take turns", async (t) => {
  const { channel, queue } = await t.queue();
  const inboxes = [new Inbox(), new Inbox(), new Inbox()];
  for (const inbox of inboxes) await channel.consume(queue, inbox.take);
  await fill(channel, queue, 6);
  for (const [i, inbox] of inboxes.entries())
    assert.deepEqual(await inbox.bodies(2), [`${i + 1}`, `${i + 4}`]);
});

test("consumers: tags, cancel, what is unacknowledged stays", async (t) => {
  const { channel, queue } = await t.queue();
  await fill(channel, queue, 2);
  const inbox = new Inbox();
  const { consumerTag } = await channel.consume(queue, inbox.take, { consumerTag: "tag" });
  assert.equal(consumerTag, "tag");
  const message = await inbox.next();
  assert.equal(message.fields.consumerTag, "tag");
  await inbox.next();
  await channel.cancel("tag");
  await channel.cancel("no such tag");
  channel.sendToQueue(queue, Buffer.from("later"));
  await t.ready(channel, queue, 1);
  assert.equal(inbox.all.length, 2);
  assert.equal((await channel.checkQueue(queue)).consumerCount, 0);
  channel.ackAll();
  const named = await channel.consume(queue, inbox.take);
  assert.ok(named.consumerTag.length > 0);
  assert.deepEqual(await inbox.bodies(1), ["later"]);
});

test("consumers: a deleted queue cancels them with null", async (t) => {
  const { channel, queue } = await t.queue();
  const inbox = new Inbox();
  await channel.consume(queue, inbox.take);
  const other = await t.channel();
  await other.deleteQueue(queue);
  assert.equal(await inbox.next(), null);
  await channel.assertQueue(queue); // the channel lives
});

test("consumers: exclusive ones are alone", async (t) => {
  const { channel, queue } = await t.queue();
  await channel.consume(queue, () => {}, { consumerTag: "alone", exclusive: true });
  await t.closesChannel(await t.channel(), 403, [queue], (it) => it.consume(queue, () => {}));
  await channel.cancel("alone");
  await channel.consume(queue, () => {});
  await t.closesChannel(await t.channel(), 403, [queue], (it) =>
    it.consume(queue, () => {}, { exclusive: true }),
  );
  const missing = t.queueName("missing");
  await t.closesChannel(await t.channel(), 404, [missing], (it) => it.consume(missing, () => {}));
});

test("consumers: the higher priority first, then the others", async (t) => {
  const { channel, queue } = await t.queue();
  const [low, high, plain] = [new Inbox(), new Inbox(), new Inbox()];
  await channel.prefetch(2);
  await channel.consume(queue, low.take, { priority: -1 });
  await channel.consume(queue, plain.take);
  await channel.consume(queue, high.take, { priority: 10 });
  await fill(channel, queue, 6);
  assert.deepEqual(await high.bodies(2), ["1", "2"]);
  assert.deepEqual(await plain.bodies(2), ["3", "4"]);
  assert.deepEqual(await low.bodies(2), ["5", "6"]);
  channel.ack(low.all[0]);
  channel.ack(high.all[0]);
  await channel.checkQueue(queue);
  channel.sendToQueue(queue, Buffer.from("7"));
  assert.deepEqual(await high.bodies(1), ["7"]);
});

test("consumers: a single active consumer, the next takes over", async (t) => {
  const { channel, queue } = await t.queue({ arguments: { "x-single-active-consumer": true } });
  const [first, second, third] = [new Inbox(), new Inbox(), new Inbox()];
  const { consumerTag } = await channel.consume(queue, first.take);
  await channel.consume(queue, second.take);
  const other = await t.channel();
  await other.consume(queue, third.take);
  await fill(channel, queue, 4);
  assert.deepEqual(await first.bodies(4), ["1", "2", "3", "4"]);
  assert.deepEqual([second.all.length, third.all.length], [0, 0]);
  channel.ackAll();
  await channel.cancel(consumerTag);
  await fill(channel, queue, 2);
  assert.deepEqual(await second.bodies(2), ["1", "2"]);
  await channel.close(); // both unacknowledged ones go to the one that is left
  assert.deepEqual(await third.bodies(2), ["1", "2"]);
  assert.ok(third.all.every((message) => message.fields.redelivered));
  await t.closesChannel(await t.channel(), 403, [queue], (it) =>
    it.consume(queue, () => {}, { exclusive: true }),
  );
});

test("consumers: RPC by direct reply-to", async (t) => {
  const { channel, queue } = await t.queue();
  const server = await t.channel(await t.connect());
  await server.consume(queue, (request) => {
    const { replyTo, correlationId } = request.properties;
    server.sendToQueue(replyTo, Buffer.from(`${text(request)}!`), { correlationId });
    server.ack(request);
  });
  const replies = new Inbox();
  await channel.consume("amq.rabbitmq.reply-to", replies.take, { noAck: true });
  for (const body of ["one", "two"]) {
    channel.sendToQueue(queue, Buffer.from(body), {
      replyTo: "amq.rabbitmq.reply-to",
      correlationId: body,
    });
  }
  for (const body of ["one", "two"]) {
    const reply = await replies.next();
    assert.deepEqual([text(reply), reply.properties.correlationId], [`${body}!`, body]);
    assert.equal(reply.fields.exchange, "");
  }
});

test("consumers: direct reply-to, its token and its refusals", async (t) => {
  const { channel, queue } = await t.queue();
  const pseudo = "amq.rabbitmq.reply-to";
  await t.closesChannel(await t.channel(), 406, ["reply"], async (it) =>
    it.sendToQueue(queue, Buffer.from("x"), { replyTo: pseudo }),
  );
  await t.closesChannel(await t.channel(), 406, ["reply"], (it) =>
    it.consume(pseudo, () => {}, { noAck: false }),
  );
  const asker = await t.channel();
  await asker.consume(pseudo, () => {}, { noAck: true });
  await t.closesChannel(asker, 406, ["reply"], (it) =>
    it.consume(pseudo, () => {}, { noAck: true }),
  );
  const gone = await t.channel();
  await gone.consume(pseudo, () => {}, { noAck: true });
  gone.sendToQueue(queue, Buffer.from("x"), { replyTo: pseudo });
  const { replyTo } = (await t.take(channel, queue)).properties;
  assert.match(replyTo, /^amq\.rabbitmq\.reply-to\../);
  assert.equal((await channel.checkQueue(replyTo)).queue, replyTo); // is there
  await gone.close();
  await t.closesChannel(await t.channel(), 404, [], (it) => it.checkQueue(replyTo));
  const returned = new Promise((resolve) => channel.once("return", resolve));
  channel.sendToQueue(replyTo, Buffer.from("late"), { mandatory: true });
  assert.equal((await returned).fields.replyCode, 312);
});

test("consumers: an auto-delete queue goes with the last one", async (t) => {
  const { channel, queue } = await t.queue({ autoDelete: true });
  const first = await channel.consume(queue, () => {});
  const second = await channel.consume(queue, () => {});
  await channel.cancel(first.consumerTag);
  await channel.checkQueue(queue);
  await channel.cancel(second.consumerTag);
  const gone = async () => {
    const probe = await t.channel();
    return probe.checkQueue(queue).then(
      async () => void (await probe.close()),
      (error) => error.code === 404,
    );
  };
  await eventually(gone, "the queue's end");
});
