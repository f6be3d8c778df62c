// Time to live and dead letters.
"use strict";
const assert = require("node:assert/strict");
const { test, Inbox, text } = require("./support.js");

// A queue whose dead letters go to another queue by way of an exchange.
async function withDeadLetters(t, options) {
  const channel = await t.channel();
  const [queue, dead, exchange] = [t.queueName(), t.queueName("dead"), t.exchangeName("dlx")];
  await channel.assertExchange(exchange, "fanout");
  await channel.assertQueue(dead);
  await channel.bindQueue(dead, exchange, "");
  await channel.assertQueue(queue, { deadLetterExchange: exchange, ...options });
  return { channel, queue, dead, exchange };
}

function checkDeath(message, expected) {
  const [death] = message.properties.headers["x-death"];
  const { time, ...rest } = death;
  assert.equal(time["!"], "timestamp");
  assert.ok(Math.abs(time.value - Date.now() / 1000) < 300, `time ${time.value}`);
  assert.deepEqual(rest, { count: 1, exchange: "", ...expected });
}

test("dead letters: rejected, with x-death", async (t) => {
  const { channel, queue, dead, exchange } = await withDeadLetters(t);
  channel.sendToQueue(queue, Buffer.from("x"), {
    headers: { mine: 1 },
    CC: ["elsewhere"],
    BCC: ["hidden"],
    type: "t",
  });
  const inbox = new Inbox((message) => channel.nack(message, false, false));
  await channel.consume(queue, inbox.take);
  const message = await t.take(channel, dead);
  checkDeath(message, { reason: "rejected", queue, "routing-keys": [queue, "elsewhere"] });
  const { headers, type } = message.properties;
  assert.deepEqual([headers.mine, type, text(message)], [1, "t", "x"]);
  assert.deepEqual(
    [
      headers["x-first-death-reason"],
      headers["x-first-death-queue"],
      headers["x-first-death-exchange"],
    ],
    ["rejected", queue, ""],
  );
  assert.deepEqual([message.fields.exchange, message.fields.routingKey], [exchange, queue]);
});

test("dead letters: with a routing key of their own", async (t) => {
  const { channel, queue, dead } = await withDeadLetters(t, { deadLetterRoutingKey: "key" });
  channel.sendToQueue(queue, Buffer.from("x"));
  channel.reject(await channel.get(queue), false);
  assert.equal((await t.take(channel, dead)).fields.routingKey, "key");
});

test("dead letters: expired by the queue's TTL", async (t) => {
  const { channel, queue, dead } = await withDeadLetters(t, { messageTtl: 50 });
  for (const body of ["a", "b"]) channel.sendToQueue(queue, Buffer.from(body));
  const messages = [await t.take(channel, dead), await t.take(channel, dead)];
  assert.deepEqual(messages.map(text), ["a", "b"]);
  checkDeath(messages[0], { reason: "expired", queue, "routing-keys": [queue] });
  await t.ready(channel, queue, 0);
});

test("dead letters: expired by their own expiration, which is taken off", async (t) => {
  const { channel, queue, dead } = await withDeadLetters(t);
  channel.sendToQueue(queue, Buffer.from("x"), { expiration: "30" });
  const message = await t.take(channel, dead);
  checkDeath(message, {
    reason: "expired",
    queue,
    "routing-keys": [queue],
    "original-expiration": "30",
  });
  assert.equal(message.properties.expiration, undefined);
});

test("dead letters: pushed out by max-length", async (t) => {
  const { channel, queue, dead } = await withDeadLetters(t, { maxLength: 1 });
  for (const body of ["a", "b"]) channel.sendToQueue(queue, Buffer.from(body));
  const message = await t.take(channel, dead);
  assert.equal(text(message), "a");
  checkDeath(message, { reason: "maxlen", queue, "routing-keys": [queue] });
  assert.deepEqual(await t.drain(channel, queue), ["b"]);
});

test("dead letters: reject-publish-dlx nacks and keeps", async (t) => {
  const { queue, dead } = await withDeadLetters(t, {
    maxLength: 1,
    overflow: "reject-publish-dlx",
  });
  const channel = await t.confirmChannel();
  channel.sendToQueue(queue, Buffer.from("a"));
  await channel.waitForConfirms();
  channel.sendToQueue(queue, Buffer.from("b"));
  await assert.rejects(channel.waitForConfirms(), /nacked/);
  const message = await t.take(channel, dead);
  assert.equal(text(message), "b");
  checkDeath(message, { reason: "maxlen", queue, "routing-keys": [queue] });
});

test("dead letters: over the delivery limit, x-delivery-count before", async (t) => {
  const { channel, queue, dead } = await withDeadLetters(t, {
    arguments: { "x-queue-type": "quorum", "x-delivery-limit": 2 },
  });
  const counts = [];
  const inbox = new Inbox((message) => {
    counts.push(message.properties.headers["x-delivery-count"]);
    channel.nack(message);
  });
  await channel.consume(queue, inbox.take);
  channel.sendToQueue(queue, Buffer.from("x"), { persistent: true });
  const message = await t.take(channel, dead);
  checkDeath(message, { reason: "delivery_limit", queue, "routing-keys": [queue] });
  assert.deepEqual(counts, [undefined, 1, 2]);
});

test("dead letters: a retry queue, counted in one entry", async (t) => {
  const channel = await t.channel();
  const [work, retry] = [t.queueName("work"), t.queueName("retry")];
  await channel.assertQueue(work, { deadLetterExchange: "", deadLetterRoutingKey: retry });
  await channel.assertQueue(retry, {
    deadLetterExchange: "",
    deadLetterRoutingKey: work,
    messageTtl: 20,
  });
  channel.sendToQueue(work, Buffer.from("x"));
  const inbox = new Inbox();
  await channel.consume(work, inbox.take);
  for (let round = 0; round < 3; ++round) channel.nack(await inbox.next(), false, false);
  const deaths = (await inbox.next()).properties.headers["x-death"];
  assert.deepEqual(
    deaths.map(({ queue, reason, count }) => [queue, reason, count]),
    [
      [retry, "expired", 3],
      [work, "rejected", 3],
    ],
  );
});

test("dead letters: a circle without a rejection ends", async (t) => {
  const channel = await t.channel();
  const [circle, witness, exchange] = [
    t.queueName("circle"),
    t.queueName("witness"),
    t.exchangeName("e"),
  ];
  await channel.assertExchange(exchange, "fanout");
  await channel.assertQueue(circle, { deadLetterExchange: exchange, messageTtl: 20 });
  await channel.assertQueue(witness);
  for (const queue of [circle, witness]) await channel.bindQueue(queue, exchange, "");
  channel.sendToQueue(circle, Buffer.from("x"));
  await t.take(channel, witness); // it went out,
  await t.ready(channel, circle, 0); // and was not let in again
});

test("TTL: an expired message does not come, one of 0 only at once", async (t) => {
  const { channel, queue } = await t.queue();
  channel.sendToQueue(queue, Buffer.from("none"), { expiration: "0" });
  channel.sendToQueue(queue, Buffer.from("short"), { expiration: 20 });
  channel.sendToQueue(queue, Buffer.from("stays"));
  await t.ready(channel, queue, 1);
  assert.deepEqual(await t.drain(channel, queue), ["stays"]);
  const inbox = new Inbox();
  await channel.consume(queue, inbox.take, { noAck: true });
  channel.sendToQueue(queue, Buffer.from("now"), { expiration: "0" });
  assert.deepEqual(await inbox.bodies(1), ["now"]);
});
