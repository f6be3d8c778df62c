// Confirm channels.
"use strict";
const assert = require("node:assert/strict");
const { test, within, pause, Inbox, text } = require("./support.js");

test("confirms: callbacks, and waitForConfirms", async (t) => {
  const channel = await t.confirmChannel();
  const queue = t.queueName();
  await channel.assertQueue(queue);
  const confirmed = new Promise((resolve, reject) => {
    channel.sendToQueue(queue, Buffer.from("a"), { persistent: true }, (error) =>
      error ? reject(error) : resolve(),
    );
  });
  await within(confirmed, "the confirm");
  assert.equal((await channel.checkQueue(queue)).messageCount, 1);
  channel.sendToQueue(queue, Buffer.from("b"));
  channel.publish("amq.direct", "nowhere", Buffer.from("unroutable"));
  await within(channel.waitForConfirms(), "confirms");
  assert.deepEqual(await t.drain(channel, queue), ["a", "b"]);
});

test("confirms: 2,000 in a pipeline, each exactly once, kept in order", async (t) => {
  const channel = await t.confirmChannel();
  const queue = t.queueName();
  await channel.assertQueue(queue, { durable: true });
  const confirmed = new Array(2000).fill(0);
  for (let i = 0; i < 2000; ++i) {
    const more = channel.sendToQueue(queue, Buffer.from(`${i}`), { persistent: true }, (error) => {
      confirmed[i] += error ? 1000 : 1;
    });
    if (!more)
      await within(
        Promise.race([new Promise((resolve) => channel.once("drain", resolve)), pause(50)]),
        "drain",
      );
  }
  await within(channel.waitForConfirms(), "2,000 confirms");
  assert.ok(confirmed.every((times) => times === 1));
  await channel.prefetch(100);
  const inbox = new Inbox((message) => channel.ack(message));
  await channel.consume(queue, inbox.take);
  assert.deepEqual(
    await inbox.bodies(2000),
    Array.from({ length: 2000 }, (_, i) => `${i}`),
  );
  assert.ok(inbox.all.every((message) => !message.fields.redelivered));
  await t.ready(channel, queue, 0);
});

test("confirms: a return comes before its confirm", async (t) => {
  const channel = await t.confirmChannel();
  const events = [];
  channel.on("return", (message) => events.push(`return ${text(message)}`));
  for (const body of ["a", "b"]) {
    channel.publish("", "no such queue", Buffer.from(body), { mandatory: true }, (error) => {
      events.push(`${error ? "nack" : "ack"} ${body}`);
    });
  }
  await within(channel.waitForConfirms(), "confirms");
  for (const body of ["a", "b"]) {
    const [returned, acked] = [events.indexOf(`return ${body}`), events.indexOf(`ack ${body}`)];
    assert.ok(returned >= 0 && returned < acked, events.join(", "));
  }
});

test("confirms: reject-publish nacks what does not fit", async (t) => {
  const channel = await t.confirmChannel();
  const queue = t.queueName();
  await channel.assertQueue(queue, { maxLength: 2, overflow: "reject-publish" });
  const outcomes = [];
  const publish = (body) =>
    new Promise((resolve) => {
      channel.sendToQueue(queue, Buffer.from(body), {}, (error) => {
        outcomes.push(error ? "nack" : "ack");
        resolve();
      });
    });
  for (const body of ["a", "b", "c"]) await within(publish(body), "a confirm or nack");
  channel.sendToQueue(queue, Buffer.from("d"));
  await assert.rejects(within(channel.waitForConfirms(), "the nack"), /nacked/);
  assert.deepEqual(outcomes, ["ack", "ack", "nack"]);
  assert.deepEqual(await t.drain(channel, queue), ["a", "b"]);
});

test("confirms: the channel's end fails what is unconfirmed", async (t) => {
  const channel = await t.confirmChannel();
  const missing = t.exchangeName("missing");
  const failed = new Promise((resolve) =>
    channel.publish(missing, "", Buffer.from("x"), {}, resolve),
  );
  await t.closesChannel(channel, 404, [missing], async () => {});
  assert.ok((await within(failed, "the callback")) instanceof Error);
});
