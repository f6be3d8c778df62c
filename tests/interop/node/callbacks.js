// The callback API: the same things in the other style.
"use strict";
const assert = require("node:assert/strict");
const { promisify } = require("node:util");
const { callbackApi, URL_OF_BROKER, test, within, watch, text, Inbox } = require("./support.js");

// Calls object.method(...args, callback).
const call = (object, method, ...args) =>
  within(promisify(object[method].bind(object))(...args), method);

async function open(kind) {
  const connection = watch(await call(callbackApi, "connect", URL_OF_BROKER));
  const channel = watch(await call(connection, kind));
  return { connection, channel };
}

test("callbacks: declare, publish, consume, get, acknowledge, close", async (t) => {
  const { connection, channel } = await open("createChannel");
  const queue = t.queueName();
  assert.deepEqual(await call(channel, "assertQueue", queue, {}), {
    queue,
    messageCount: 0,
    consumerCount: 0,
  });
  await call(channel, "prefetch", 2, false).catch(() => {}); // takes no callback in some versions
  for (const body of ["a", "b", "c", "d"]) channel.sendToQueue(queue, Buffer.from(body));
  const first = await call(channel, "get", queue, {});
  assert.equal(text(first), "a");
  channel.nack(first);
  const inbox = new Inbox((message) => channel.ack(message));
  const { consumerTag } = await call(channel, "consume", queue, inbox.take, {});
  assert.deepEqual((await inbox.bodies(4)).sort(), ["a", "b", "c", "d"]);
  await call(channel, "cancel", consumerTag);
  assert.equal(await call(channel, "get", queue, {}), false);
  await call(channel, "purgeQueue", queue);
  await call(channel, "deleteQueue", queue, {});
  await call(channel, "close");
  await call(connection, "close");
});

test("callbacks: confirms", async (t) => {
  const { connection, channel } = await open("createConfirmChannel");
  const queue = t.queueName();
  await call(channel, "assertQueue", queue, { maxLength: 500, overflow: "reject-publish" });
  let confirmed = 0;
  for (let i = 0; i < 500; ++i) {
    channel.sendToQueue(
      queue,
      Buffer.from(`${i}`),
      { persistent: true },
      (error) => error || ++confirmed,
    );
  }
  await call(channel, "waitForConfirms");
  assert.equal(confirmed, 500);
  const nacked = new Promise((resolve) =>
    channel.sendToQueue(queue, Buffer.from("x"), {}, resolve),
  );
  assert.match((await within(nacked, "the nack")).message, /nacked/);
  await call(connection, "close");
});

test("callbacks: exchanges, bindings, returns", async (t) => {
  const { connection, channel } = await open("createChannel");
  const [queue, one, two] = [t.queueName(), t.exchangeName("one"), t.exchangeName("two")];
  await call(channel, "assertQueue", queue, {});
  await call(channel, "assertExchange", one, "fanout", {});
  await call(channel, "assertExchange", two, "topic", { alternateExchange: one });
  await call(channel, "bindExchange", one, two, "a.*", {});
  await call(channel, "bindQueue", queue, one, "", {});
  channel.publish(two, "a.b", Buffer.from("1"));
  channel.publish(two, "c", Buffer.from("2"));
  assert.deepEqual(
    [text(await t.take(await t.channel(), queue)), text(await t.take(await t.channel(), queue))],
    ["1", "2"],
  );
  await call(channel, "unbindQueue", queue, one, "", {});
  const returned = new Promise((resolve) => channel.once("return", resolve));
  channel.publish(two, "c", Buffer.from("3"), { mandatory: true });
  assert.equal(text(await within(returned, "the return")), "3");
  await call(channel, "unbindExchange", one, two, "a.*", {});
  await call(channel, "deleteExchange", two, {});
  await call(connection, "close");
});

test("callbacks: an error closes the channel only", async (t) => {
  const { connection, channel } = await open("createChannel");
  const missing = t.queueName("missing");
  await assert.rejects(call(channel, "checkQueue", missing), (error) => error.code === 404);
  assert.equal((await within(channel.failure, "the error event")).code, 404);
  const next = watch(await call(connection, "createChannel"));
  await call(next, "assertQueue", missing, { durable: true });
  await assert.rejects(
    call(next, "assertQueue", missing, { durable: false }),
    (error) => error.code === 406,
  );
  await call(connection, "close");
});

test("callbacks: recover, and null for a cancelled consumer", async (t) => {
  const { connection, channel } = await open("createChannel");
  const queue = t.queueName();
  await call(channel, "assertQueue", queue, {});
  channel.sendToQueue(queue, Buffer.from("x"));
  const inbox = new Inbox();
  await call(channel, "consume", queue, inbox.take, {});
  await inbox.next();
  await call(channel, "recover");
  assert.equal((await inbox.next()).fields.redelivered, true);
  await call(channel, "deleteQueue", queue, {});
  assert.equal(await inbox.next(), null);
  await call(connection, "close");
});
