// Exchanges of all types, bindings between them, alternate exchanges.
"use strict";
const assert = require("node:assert/strict");
const { test, within } = require("./support.js");

// Queues bound as given, each entry [name, pattern, arguments]; gives a function that publishes and
// says which of them got the message.
async function bound(t, type, bindings, options) {
  const channel = await t.confirmChannel();
  const exchange = t.exchangeName("e");
  await channel.assertExchange(exchange, type, options);
  const queues = [...new Set(bindings.map(([name]) => name))].map((name) => [
    name,
    t.queueName(name),
  ]);
  for (const [, queue] of queues) await channel.assertQueue(queue);
  for (const [name, pattern, headers] of bindings) {
    await channel.bindQueue(
      queues.find(([other]) => other === name)[1],
      exchange,
      pattern,
      headers,
    );
  }
  const receivers = async (key, headers, to = exchange) => {
    channel.publish(to, key, Buffer.from("x"), { headers });
    await within(channel.waitForConfirms(), "the confirm");
    const got = [];
    for (const [name, queue] of queues)
      if ((await t.drain(channel, queue)).length === 1) got.push(name);
    return got.join("");
  };
  return {
    channel,
    exchange,
    receivers,
    queue: (name) => queues.find(([other]) => other === name)[1],
  };
}

test("exchanges: direct", async (t) => {
  const { channel, exchange, receivers, queue } = await bound(t, "direct", [
    ["a", "k"],
    ["b", "k"],
    ["b", "other"],
  ]);
  assert.deepEqual(
    [await receivers("k"), await receivers("other"), await receivers("none")],
    ["ab", "b", ""],
  );
  await channel.unbindQueue(queue("a"), exchange, "k");
  await channel.unbindQueue(queue("a"), exchange, "k"); // ok again
  assert.equal(await receivers("k"), "b");
});

test("exchanges: fanout, and two bindings of one queue give one copy", async (t) => {
  const { receivers } = await bound(t, "fanout", [
    ["a", ""],
    ["a", "k"],
    ["b", "x"],
  ]);
  assert.equal(await receivers("anything"), "ab");
});

test("exchanges: topic", async (t) => {
  const { receivers } = await bound(t, "topic", [
    ["a", "*.orange.*"],
    ["b", "*.*.rabbit"],
    ["b", "lazy.#"],
    ["c", "#"],
  ]);
  assert.equal(await receivers("quick.orange.rabbit"), "abc");
  assert.equal(await receivers("lazy"), "bc");
  assert.equal(await receivers("lazy.a.b.c"), "bc");
  assert.equal(await receivers("quick.orange.male.rabbit"), "c");
  assert.equal(await receivers(""), "c");
});

test("exchanges: headers", async (t) => {
  const { receivers } = await bound(t, "headers", [
    ["a", "", { "x-match": "all", kind: "pdf", pages: 3 }],
    ["b", "", { "x-match": "any", kind: "pdf", pages: 3 }],
    ["c", "", { kind: "pdf" }],
    ["d", "", { "x-match": "all-with-x", "x-kind": true }],
  ]);
  assert.equal(await receivers("", { kind: "pdf", pages: { "!": "int64", value: 3 } }), "abc");
  assert.equal(await receivers("", { kind: "doc", pages: 3 }), "b");
  assert.equal(await receivers("", { kind: "pdf", pages: 4 }), "bc");
  assert.equal(await receivers("", { "x-kind": true }), "d");
  assert.equal(await receivers("", {}), "");
});

test("exchanges: arguments are the same in any order", async (t) => {
  const { channel, exchange, receivers, queue } = await bound(t, "headers", [
    ["a", "", { kind: "pdf", pages: 3, "x-match": "all" }],
  ]);
  const turned = { "x-match": "all", pages: 3, kind: "pdf" };
  await channel.bindQueue(queue("a"), exchange, "", turned); // no second binding
  assert.equal(await receivers("", { ...turned }), "a");
  await channel.unbindQueue(queue("a"), exchange, "", turned);
  assert.equal(await receivers("", { ...turned }), "");
});

test("exchanges: bound to each other", async (t) => {
  const { channel, exchange, receivers } = await bound(t, "fanout", [["a", ""]]);
  const source = t.exchangeName("source");
  await channel.assertExchange(source, "topic", { durable: false });
  await channel.bindExchange(exchange, source, "in.#");
  assert.deepEqual(
    [await receivers("in.1", {}, source), await receivers("out", {}, source)],
    ["a", ""],
  );
  await channel.unbindExchange(exchange, source, "in.#");
  assert.equal(await receivers("in.1", {}, source), "");
  const missing = t.exchangeName("missing");
  await t.closesChannel(await t.channel(), 404, [missing], (it) =>
    it.bindExchange(missing, source, ""),
  );
  await t.closesChannel(await t.channel(), 404, [missing], (it) =>
    it.bindExchange(source, missing, ""),
  );
});

test("exchanges: an alternate exchange takes what finds no queue", async (t) => {
  const { channel, exchange, receivers } = await bound(t, "fanout", [["a", ""]]);
  const first = t.exchangeName("first");
  await channel.assertExchange(first, "direct", { alternateExchange: exchange });
  assert.equal(await receivers("unknown", {}, first), "a");
  let returned = 0;
  channel.on("return", () => ++returned);
  channel.publish(first, "unknown", Buffer.from("x"), { mandatory: true });
  await channel.waitForConfirms();
  assert.equal(returned, 0); // it found a queue after all
  await t.closesChannel(await t.channel(), 406, [first, "alternate-exchange"], (it) =>
    it.assertExchange(first, "direct"),
  );
});

test("exchanges: internal ones are only for bindings", async (t) => {
  const { channel, exchange, receivers } = await bound(t, "fanout", [["a", ""]], {
    internal: true,
  });
  await t.closesChannel(await t.channel(), 403, [exchange], async (it) =>
    it.publish(exchange, "", Buffer.from("x")),
  );
  const source = t.exchangeName("source");
  await channel.assertExchange(source, "direct");
  await channel.bindExchange(exchange, source, "k");
  assert.equal(await receivers("k", {}, source), "a");
});

test("exchanges: refusals", async (t) => {
  const channel = await t.channel();
  const [exchange, missing] = [t.exchangeName("e"), t.exchangeName("missing")];
  const { queue } = await t.queue();
  await channel.assertExchange(exchange, "direct");
  await channel.assertExchange(exchange, "direct");
  await channel.checkExchange(exchange);
  await channel.bindQueue(queue, exchange, "k");
  const refused = async (code, parts, action) =>
    t.closesChannel(await t.channel(), code, parts, action);
  await refused(404, [missing], (it) => it.checkExchange(missing));
  await refused(404, [missing], (it) => it.bindQueue(queue, missing, ""));
  await refused(406, [exchange, "type"], (it) => it.assertExchange(exchange, "topic"));
  await refused(406, [exchange, "durable"], (it) =>
    it.assertExchange(exchange, "direct", { durable: false }),
  );
  await refused(406, [exchange], (it) => it.deleteExchange(exchange, { ifUnused: true }));
  await refused(403, ["amq.new"], (it) => it.assertExchange("amq.new", "direct"));
  await refused(403, [], (it) => it.bindQueue(queue, "", "k"));
  await refused(403, ["amq.direct"], (it) => it.deleteExchange("amq.direct"));
  await channel.deleteExchange(exchange);
  await channel.deleteExchange(exchange); // ok again
});

test("exchanges: an auto-delete one goes with its last binding", async (t) => {
  const { channel, exchange, queue } = await bound(
    t,
    "direct",
    [
      ["a", "1"],
      ["a", "2"],
    ],
    { autoDelete: true },
  );
  await channel.unbindQueue(queue("a"), exchange, "1");
  await channel.checkExchange(exchange);
  await channel.unbindQueue(queue("a"), exchange, "2");
  await t.closesChannel(channel, 404, [exchange], (it) => it.checkExchange(exchange));
});
