// Publishing without confirms, properties and field tables, get and acknowledgements.
"use strict";
const assert = require("node:assert/strict");
const { test, within, Inbox, text } = require("./support.js");

test("messages: all properties arrive as they were sent", async (t) => {
  const { channel, queue } = await t.queue();
  const sent = {
    contentType: "text/plain",
    contentEncoding: "utf-8",
    headers: { key: "value" },
    deliveryMode: 2,
    priority: 3,
    correlationId: "correlation",
    replyTo: "reply",
    messageId: "id",
    timestamp: 1_700_000_000,
    type: "kind",
    userId: "guest",
    appId: "app",
  };
  channel.sendToQueue(queue, Buffer.from("body"), { ...sent, expiration: 600_000 });
  const { fields, properties, content } = await t.take(channel, queue);
  for (const [name, value] of Object.entries({ ...sent, expiration: "600000" })) {
    assert.deepEqual(properties[name], value, name);
  }
  assert.equal(content.toString(), "body");
  assert.deepEqual(
    [fields.exchange, fields.routingKey, fields.redelivered, fields.messageCount],
    ["", queue, false, 0],
  );
  channel.sendToQueue(queue, Buffer.from("bare"));
  const bare = await t.take(channel, queue);
  assert.equal(bare.properties.contentType, undefined);
  assert.equal(bare.properties.expiration, undefined);
});

const TYPED = {
  bool: [true, false],
  int8: { "!": "int8", value: -5 },
  uint8: { "!": "uint8", value: 250 },
  int16: { "!": "int16", value: -30_000 },
  uint16: { "!": "uint16", value: 60_000 },
  int32: { "!": "int32", value: -2_000_000_000 },
  uint32: { "!": "uint32", value: 4_000_000_000 },
  int64: { "!": "int64", value: -9_000_000_000_000 },
  float: { "!": "float", value: 0.5 },
  double: { "!": "double", value: 1 / 3 },
  guessed: [0, 127, 128, -129, 32_768, -32_769, 2 ** 31, 2 ** 40, 1.5, -0.25, 1e300],
  decimal: { "!": "decimal", value: { places: 2, digits: 12_345 } },
  timestamp: { "!": "timestamp", value: 1_700_000_000 },
  nothing: null,
  string: "Grüße, 世界",
  empty: "",
  long: "x".repeat(5000),
  bytes: Buffer.from([0, 1, 254, 255]),
  list: [1, "two", null, [3, { four: 4.5 }], Buffer.from("five")],
  table: { a: { b: { c: [{ d: "deep" }] } }, none: {}, nobody: [] },
};

// What amqplib makes of them: numbers lose the type that was given.
function expected(value) {
  if (Buffer.isBuffer(value) || value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(expected);
  if (value["!"] && !["decimal", "timestamp"].includes(value["!"])) return value.value;
  if (value["!"]) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, expected(inner)]));
}

test("messages: field tables of every type", async (t) => {
  const { channel, queue } = await t.queue();
  channel.sendToQueue(queue, Buffer.from("x"), { headers: TYPED });
  const { headers } = (await t.take(channel, queue)).properties;
  for (const name of Object.keys(TYPED))
    assert.deepEqual(headers[name], expected(TYPED[name]), name);
  assert.deepEqual(Object.keys(headers), Object.keys(TYPED));
});

test("messages: tables of every type as arguments", async (t) => {
  const { channel } = await t.queue();
  const [queue, exchange] = [t.queueName("other"), t.exchangeName("e")];
  await channel.assertQueue(queue, { arguments: { "x-unknown": TYPED } });
  await channel.assertExchange(exchange, "headers", { arguments: { unknown: TYPED } });
  await channel.bindQueue(queue, exchange, "", { unknown: TYPED, "x-match": "all" });
  await channel.unbindQueue(queue, exchange, "", { unknown: TYPED, "x-match": "all" });
  await channel.consume(queue, () => {}, { arguments: { unknown: TYPED } });
});

test("messages: no body, bodies at the edges of frames, big ones", async (t) => {
  const { channel, queue } = await t.queue();
  const frame = channel.connection.frameMax;
  const sizes = [0, 1, frame - 9, frame - 8, frame - 7, 2 * (frame - 8), 1 << 20, 5_000_001];
  const inbox = new Inbox();
  await channel.consume(queue, inbox.take, { noAck: true });
  for (const size of sizes) {
    const body = Buffer.alloc(size, `${size}.`);
    channel.sendToQueue(queue, body);
    assert.ok((await inbox.next()).content.equals(body), `${size} bytes`);
  }
});

test("messages: get, empty get, message count", async (t) => {
  const { channel, queue } = await t.queue();
  assert.equal(await channel.get(queue), false);
  for (const body of ["a", "b", "c"]) channel.sendToQueue(queue, Buffer.from(body));
  const first = await channel.get(queue);
  assert.deepEqual([text(first), first.fields.messageCount], ["a", 2]);
  channel.ack(first);
  const second = await channel.get(queue, { noAck: true });
  assert.deepEqual([text(second), second.fields.messageCount], ["b", 1]);
  const missing = t.queueName("missing");
  await t.closesChannel(await t.channel(), 404, [missing], (it) => it.get(missing));
});

test("messages: nack and reject put back in place or drop", async (t) => {
  const { channel, queue } = await t.queue();
  for (const body of ["a", "b", "c", "d"]) channel.sendToQueue(queue, Buffer.from(body));
  const [a, b, c] = [await channel.get(queue), await channel.get(queue), await channel.get(queue)];
  channel.nack(b); // back, by default
  channel.reject(a, true);
  channel.reject(c, false);
  await t.ready(channel, queue, 3);
  const again = await channel.get(queue);
  assert.deepEqual([text(again), again.fields.redelivered], ["a", true]);
  channel.nack(again, false, false);
  assert.deepEqual(await t.drain(channel, queue), ["b", "d"]);
});

test("messages: ack and nack of all up to one, ackAll, nackAll", async (t) => {
  const { channel, queue } = await t.queue();
  const fetch = async (count) => {
    const messages = [];
    for (let i = 0; i < count; ++i) messages.push(await channel.get(queue));
    return messages;
  };
  for (let i = 1; i <= 9; ++i) channel.sendToQueue(queue, Buffer.from(`${i}`));
  channel.ack((await fetch(3))[1], true); // 3 is left
  channel.nack((await fetch(3))[0], true); // 3 and 4 go back
  await t.ready(channel, queue, 5);
  assert.deepEqual((await fetch(2)).map(text), ["3", "4"]);
  channel.nackAll(); // 3 to 6
  await t.ready(channel, queue, 7);
  assert.deepEqual((await fetch(4)).map(text), ["3", "4", "5", "6"]);
  channel.ackAll();
  assert.deepEqual((await fetch(2)).map(text), ["7", "8"]);
  channel.nackAll(false);
  channel.ackAll(); // nothing there: ok
  assert.deepEqual(await t.drain(channel, queue), ["9"]);
});

test("messages: a repeated acknowledgement is 406", async (t) => {
  const { channel, queue } = await t.queue();
  channel.sendToQueue(queue, Buffer.from("x"));
  const message = await channel.get(queue);
  channel.ack(message);
  await t.closesChannel(channel, 406, ["unknown delivery tag 1"], async () => channel.ack(message));
});

test("messages: recover delivers again", async (t) => {
  const { channel, queue } = await t.queue();
  for (const body of ["a", "b"]) channel.sendToQueue(queue, Buffer.from(body));
  const inbox = new Inbox();
  await channel.consume(queue, inbox.take);
  assert.deepEqual(await inbox.bodies(2), ["a", "b"]);
  await channel.recover();
  const [again, last] = [await inbox.next(), await inbox.next()];
  assert.deepEqual([text(again), again.fields.redelivered], ["a", true]);
  assert.deepEqual([text(last), last.fields.redelivered], ["b", true]);
  channel.ackAll();
});

test("messages: unroutable and mandatory: returned whole", async (t) => {
  const { channel } = await t.queue();
  const returned = new Promise((resolve) => channel.once("return", resolve));
  channel.publish("amq.direct", "unknown key", Buffer.from("body"), {
    mandatory: true,
    headers: { h: 1 },
    type: "t",
  });
  const { fields, properties, content } = await within(returned, "the return");
  assert.deepEqual(
    [fields.replyCode, fields.replyText, fields.exchange, fields.routingKey],
    [312, "NO_ROUTE", "amq.direct", "unknown key"],
  );
  assert.deepEqual(
    [properties.headers, properties.type, content.toString()],
    [{ h: 1 }, "t", "body"],
  );
});

test("messages: CC and BCC reach more queues, BCC is not told", async (t) => {
  const { channel, queue } = await t.queue();
  const [copy, blind] = [t.queueName("copy"), t.queueName("blind")];
  await channel.assertQueue(copy);
  await channel.assertQueue(blind);
  channel.sendToQueue(queue, Buffer.from("x"), {
    CC: [copy, queue],
    BCC: blind,
    headers: { other: 1 },
  });
  for (const name of [queue, copy, blind]) {
    const { properties, fields } = await t.take(channel, name);
    assert.deepEqual(properties.headers, { other: 1, CC: [copy, queue] });
    assert.equal(fields.routingKey, queue);
    assert.deepEqual(await t.drain(channel, name), []); // each once
  }
});

test("messages: refused: wrong user, bad expiration, bad CC, missing exchange", async (t) => {
  const { queue } = await t.queue();
  const refused = async (code, parts, exchange, options) =>
    t.closesChannel(await t.channel(), code, parts, async (channel) =>
      channel.publish(exchange, queue, Buffer.from("x"), options),
    );
  await refused(406, ["somebody", "guest"], "", { userId: "somebody" });
  await refused(406, ["expiration"], "", { expiration: "soon" });
  await refused(406, ["CC"], "", { headers: { CC: "not a list" } });
  const missing = t.exchangeName("missing");
  await refused(404, [missing], missing, {});
});
