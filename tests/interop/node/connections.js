// Connecting, options of the connection, closing.
"use strict";
const assert = require("node:assert/strict");
const { amqplib, URL_OF_BROKER, test, within, pause, watch, Inbox, text } = require("./support.js");

function withQuery(query) {
  const url = new URL(URL_OF_BROKER);
  url.search = query;
  return url.toString();
}

function withParts(parts) {
  return Object.assign(new URL(URL_OF_BROKER), parts).toString();
}

test("connection: the broker's properties name its capabilities", async (t) => {
  const properties = t.connection.connection.serverProperties;
  assert.ok(properties.product);
  for (const name of [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
  ]) {
    assert.equal(properties.capabilities[name], true, name);
  }
});

test("connection: client properties, AMQPLAIN, object instead of URL", async (t) => {
  const plain = amqplib.credentials.amqplain("guest", "guest");
  const clientProperties = { connection_name: "a name", "x-more": { nested: [1, "two"] } };
  const first = await t.connect(URL_OF_BROKER, { credentials: plain, clientProperties });
  await (await t.channel(first)).close();
  const { hostname, port } = new URL(URL_OF_BROKER);
  const second = await t.connect({
    protocol: "amqp",
    hostname,
    port: Number(port) || 5672,
    frameMax: 8192,
  });
  await (await t.channel(second)).close();
});

test("connection: wrong password, unknown vhost", async () => {
  const refused = (parts) => within(amqplib.connect(withParts(parts)), "the refusal");
  await assert.rejects(refused({ username: "guest", password: "wrong" }), /403|ACCESS.REFUSED/);
  // amqplib does not tell the code of this one.
  await assert.rejects(
    refused({ pathname: "/no-such-vhost" }),
    /530|NOT.ALLOWED|got <ConnectionClose/,
  );
});

test("connection: heartbeats keep an idle connection", async (t) => {
  const connection = await t.connect(withQuery("heartbeat=1"));
  let failed;
  connection.on("error", (error) => (failed = error));
  await pause(3500); // amqplib gives up after two missed ones
  assert.equal(failed, undefined);
  await (await t.channel(connection)).close();
});

test("connection: heartbeat=0 and a small frame_max", async (t) => {
  const connection = await t.connect(withQuery("heartbeat=0&frameMax=4096"));
  const channel = await t.channel(connection);
  const queue = t.queueName();
  await channel.assertQueue(queue);
  const body = Buffer.alloc(50_001, "ab");
  channel.sendToQueue(queue, body);
  assert.ok((await t.take(channel, queue)).content.equals(body));
});

test("connection: channelMax is kept, many channels work", async (t) => {
  const connection = await t.connect(withQuery("channelMax=3"));
  for (let i = 0; i < 3; ++i) await t.channel(connection);
  await assert.rejects(connection.createChannel(), /[Nn]o channels/);
  const channels = await Promise.all(Array.from({ length: 100 }, () => t.channel()));
  const queue = t.queueName();
  await channels[99].assertQueue(queue);
  for (const channel of channels) assert.equal((await channel.checkQueue(queue)).queue, queue);
});

test("connection: updateSecret", async (t) => {
  await within(t.connection.updateSecret(Buffer.from("guest"), "no reason"), "update-secret-ok");
  await (await t.channel()).close();
});

test("connection: close ends channels, requeues, frees exclusive queues", async (t) => {
  const other = await t.connect();
  const channel = await t.channel(other);
  const queue = t.queueName();
  await channel.assertQueue(queue);
  const exclusive = (await channel.assertQueue("", { exclusive: true })).queue;
  for (const body of ["a", "b", "c"]) channel.sendToQueue(queue, Buffer.from(body));
  const inbox = new Inbox();
  await channel.consume(queue, inbox.take);
  await inbox.bodies(3);
  await within(other.close(), "close-ok");
  await within(channel.closed, "the channel's close event");
  assert.throws(() => channel.sendToQueue(queue, Buffer.from("x")), /closed|closing/i);
  const mine = await t.channel();
  await t.ready(mine, queue, 3);
  const message = await mine.get(queue, { noAck: true });
  assert.deepEqual([text(message), message.fields.redelivered], ["a", true]);
  assert.deepEqual(await t.drain(mine, queue), ["b", "c"]);
  await t.closesChannel(mine, 404, [exclusive], (it) => it.checkQueue(exclusive));
});

test("connection: a closed channel requeues, its number opens again", async (t) => {
  const { channel, queue } = await t.queue();
  for (const body of ["a", "b"]) channel.sendToQueue(queue, Buffer.from(body));
  const taken = await t.channel();
  assert.equal(text(await taken.get(queue)), "a");
  assert.equal(text(await taken.get(queue)), "b");
  const number = taken.ch;
  await taken.close();
  const again = await t.channel();
  assert.equal(again.ch, number);
  await t.ready(again, queue, 2);
  assert.deepEqual(await t.drain(again, queue), ["a", "b"]);
});

test("connection: a connection error reaches every channel", async (t) => {
  const other = await t.connect();
  const channel = await t.channel(other);
  const bystander = await t.channel(other);
  const queue = t.queueName();
  await channel.assertQueue(queue);
  await channel.consume(queue, () => {}, { consumerTag: "same" });
  await t.closesConnection(other, 530, () =>
    channel.consume(queue, () => {}, { consumerTag: "same" }),
  );
  await within(bystander.closed, "the other channel's end");
});
