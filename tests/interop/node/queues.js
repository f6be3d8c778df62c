// Declaring, deleting and purging queues; limits and priorities.
"use strict";
const assert = require("node:assert/strict");
const { test, eventually, pause, text } = require("./support.js");

test("queues: declared, checked, purged, deleted", async (t) => {
  const { channel, queue } = await t.queue();
  assert.deepEqual(await channel.assertQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
  for (const body of ["a", "b", "c"]) channel.sendToQueue(queue, Buffer.from(body));
  await t.ready(channel, queue, 3);
  await channel.get(queue); // purge leaves it
  assert.deepEqual(await channel.purgeQueue(queue), { messageCount: 2 });
  channel.nackAll();
  await t.ready(channel, queue, 1);
  assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 1 });
  assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 0 });
});

test("queues: the broker names them", async (t) => {
  const channel = await t.channel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  assert.match(queue, /^amq\.gen-/);
  const other = await channel.assertQueue("", { exclusive: true });
  assert.notEqual(other.queue, queue);
  await channel.bindQueue("", "amq.fanout", ""); // the last one
  channel.publish("amq.fanout", "", Buffer.from("x"));
  await t.ready(channel, other.queue, 1);
  await t.ready(channel, queue, 0);
});

test("queues: missing ones are 404", async (t) => {
  const missing = t.queueName("missing");
  const refused = async (action) => t.closesChannel(await t.channel(), 404, [missing], action);
  await refused((channel) => channel.checkQueue(missing));
  await refused((channel) => channel.purgeQueue(missing));
  await refused((channel) => channel.bindQueue(missing, "amq.direct", ""));
});

test("queues: other arguments than the existing one's are 406", async (t) => {
  const { queue, channel } = await t.queue({ durable: true, messageTtl: 60_000, maxLength: 10 });
  await channel.assertQueue(queue, {
    arguments: { "x-message-ttl": { "!": "int64", value: 60_000 }, "x-max-length": 10, unknown: 1 },
  });
  const refused = async (options, argument) =>
    t.closesChannel(await t.channel(), 406, [queue, argument], (it) =>
      it.assertQueue(queue, { messageTtl: 60_000, maxLength: 10, ...options }),
    );
  await refused({ durable: false }, "durable");
  await refused({ autoDelete: true }, "auto_delete");
  await refused({ messageTtl: 1 }, "x-message-ttl");
  await refused({ maxLength: undefined }, "x-max-length");
  await refused({ deadLetterExchange: "amq.direct" }, "x-dead-letter-exchange");
});

test("queues: senseless arguments and reserved names are refused", async (t) => {
  const name = t.queueName("bad");
  const refused = async (code, queue, options) =>
    t.closesChannel(await t.channel(), code, [queue], (it) => it.assertQueue(queue, options));
  await refused(406, name, { messageTtl: -1 });
  await refused(406, name, { arguments: { "x-expires": "soon" } });
  await refused(406, name, { maxLength: -1 });
  await refused(406, name, { maxPriority: -1 });
  await refused(406, name, { overflow: "explode" });
  await refused(403, "amq.reserved", {});
});

test("queues: exclusive ones are 405 to others", async (t) => {
  const { queue } = await t.queue({ exclusive: true });
  const other = await t.connect();
  const refused = async (action) => t.closesChannel(await t.channel(other), 405, [queue], action);
  await refused((channel) => channel.checkQueue(queue));
  await refused((channel) => channel.assertQueue(queue, { exclusive: true }));
  await refused((channel) => channel.consume(queue, () => {}));
  await refused((channel) => channel.deleteQueue(queue));
  await (await t.channel()).checkQueue(queue); // another channel of its connection may
});

test("queues: delete only if unused, only if empty", async (t) => {
  const { channel, queue } = await t.queue();
  channel.sendToQueue(queue, Buffer.from("x"));
  await t.ready(channel, queue, 1);
  await t.closesChannel(await t.channel(), 406, [queue], (it) =>
    it.deleteQueue(queue, { ifEmpty: true }),
  );
  const { consumerTag } = await channel.consume(queue, (message) => channel.ack(message));
  await t.closesChannel(await t.channel(), 406, [queue], (it) =>
    it.deleteQueue(queue, { ifUnused: true }),
  );
  await t.ready(channel, queue, 0);
  await channel.cancel(consumerTag);
  assert.deepEqual(await channel.deleteQueue(queue, { ifEmpty: true, ifUnused: true }), {
    messageCount: 0,
  });
});

test("queues: priorities, in order within each", async (t) => {
  const { channel, queue } = await t.queue({ maxPriority: 5 });
  for (const [body, priority] of [
    ["a0", undefined],
    ["b3", 3],
    ["c9", 9],
    ["d3", 3],
    ["e5", 5],
    ["f1", 1],
  ]) {
    channel.sendToQueue(queue, Buffer.from(body), { priority });
  }
  await t.ready(channel, queue, 6);
  const first = await channel.get(queue);
  assert.equal(text(first), "c9");
  channel.nack(first);
  await t.ready(channel, queue, 6);
  assert.deepEqual(await t.drain(channel, queue), ["c9", "e5", "b3", "d3", "f1", "a0"]);
});

test("queues: max-length drops the oldest", async (t) => {
  const { channel, queue } = await t.queue({ maxLength: 3 });
  for (let i = 1; i <= 5; ++i) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await t.ready(channel, queue, 3);
  await channel.get(queue); // "3", out of the count until it is back
  channel.sendToQueue(queue, Buffer.from("6"));
  await t.ready(channel, queue, 3);
  assert.deepEqual(await t.drain(channel, queue), ["4", "5", "6"]);
});

test("queues: max-length-bytes drops the oldest", async (t) => {
  const { channel, queue } = await t.queue({ arguments: { "x-max-length-bytes": 10 } });
  for (const body of ["aaaa", "bbbb", "cccc"]) channel.sendToQueue(queue, Buffer.from(body));
  await t.ready(channel, queue, 2);
  assert.deepEqual(await t.drain(channel, queue), ["bbbb", "cccc"]);
});

test("queues: x-expires ends an unused one", async (t) => {
  const { channel, queue } = await t.queue({ expires: 200 });
  const consumed = t.queueName("consumed");
  await channel.assertQueue(consumed, { expires: 200 });
  await channel.consume(consumed, () => {});
  const gone = async () => {
    const probe = await t.channel();
    await pause(500);
    return probe.checkQueue(queue).then(
      async () => void (await probe.close()),
      (error) => error.code === 404,
    );
  };
  await eventually(gone, "the queue's end");
  await channel.checkQueue(consumed);
});

test("queues: quorum is accepted, stays what it is", async (t) => {
  const { channel, queue } = await t.queue({ arguments: { "x-queue-type": "quorum" } });
  await t.closesChannel(await t.channel(), 406, [queue, "x-queue-type"], (it) =>
    it.assertQueue(queue),
  );
  channel.sendToQueue(queue, Buffer.from("x"), { persistent: true });
  assert.equal(text(await t.take(channel, queue)), "x");
});
