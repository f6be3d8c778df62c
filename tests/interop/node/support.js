// Runs the cases one after the other, each with a connection of its own, and cleans up after them.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");

const LIBRARY = process.env.AMQPLIB || "amqplib";
const amqplib = require(LIBRARY);
const { version } = require(path.join(path.dirname(require.resolve(LIBRARY)), "package.json"));
const callbackApi = require(`${LIBRARY}/callback_api`);
const URL_OF_BROKER = process.env.AMQP_URL || "amqp://guest:guest@127.0.0.1:5672";
// Generous, for sanitizer builds on a busy machine. Nothing takes that long when all is well.
const PATIENCE_MS = 30_000;

const cases = [];
const test = (name, body) => cases.push({ name, body });

function within(promise, what, patience = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Until condition() gives something true, which is handed back.
async function eventually(condition, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(10);
  }
}

// An amqplib channel or connection with promises for its end: .failure is its first error.
function watch(emitter) {
  emitter.failure = new Promise((resolve) => emitter.once("error", resolve));
  emitter.closed = new Promise((resolve) => emitter.once("close", resolve));
  emitter.on("error", () => {});
  return emitter;
}

// What a consumer gets: consume(queue, inbox.take), then await inbox.next() or inbox.bodies(3).
class Inbox {
  constructor(onMessage) {
    this.all = [];
    this.read = 0;
    this.waiting = [];
    this.take = (message) => {
      this.all.push(message);
      for (const wake of this.waiting.splice(0)) wake();
      if (onMessage) onMessage(message);
    };
  }

  async next() {
    const arrived = async () => {
      while (this.all.length <= this.read) await new Promise((wake) => this.waiting.push(wake));
    };
    await within(arrived(), `message ${this.read + 1} of a consumer`);
    return this.all[this.read++];
  }

  async bodies(count) {
    const texts = [];
    for (let i = 0; i < count; ++i) texts.push(text(await this.next()));
    return texts;
  }
}

const text = (message) => message.content.toString();

class Context {
  constructor(number) {
    this.prefix = `node-${process.pid}-${number}-`;
    this.queues = [];
    this.exchanges = [];
    this.connections = [];
  }

  // A name that no other case and no other run has; what is named so is deleted at the end.
  queueName(name = "q") {
    this.queues.push(this.prefix + name);
    return this.prefix + name;
  }

  exchangeName(name) {
    this.exchanges.push(this.prefix + name);
    return this.prefix + name;
  }

  async connect(url = URL_OF_BROKER, options = {}) {
    const connection = watch(await within(amqplib.connect(url, options), "the connection"));
    this.connections.push(connection);
    return connection;
  }

  async channel(connection = this.connection) {
    return watch(await within(connection.createChannel(), "the channel"));
  }

  async confirmChannel(connection = this.connection) {
    return watch(await within(connection.createConfirmChannel(), "the channel"));
  }

  // A channel and a new queue.
  async queue(options = {}, name = "q") {
    const channel = await this.channel();
    const queue = this.queueName(name);
    await channel.assertQueue(queue, options);
    return { channel, queue };
  }

  // The action closes the channel with this code and a text with these parts; the connection lives.
  async closesChannel(channel, code, parts, action) {
    try {
      await within(action(channel), "the refusal");
    } catch {
      // The promise of the call, if it has one, is rejected with the same error.
    }
    const error = await within(channel.failure, `a channel error ${code}`);
    assert.equal(error.code, code, error.message);
    for (const part of parts)
      assert.ok(error.message.includes(part), `${part} is not in: ${error.message}`);
    await within(channel.closed, "the channel's end");
    const next = await this.channel();
    await next.close();
  }

  async closesConnection(connection, code, action) {
    try {
      await within(Promise.race([action(), connection.closed]), "the refusal");
    } catch {
      // As above.
    }
    const error = await within(connection.failure, `a connection error ${code}`);
    assert.equal(error.code, code, error.message);
    await within(connection.closed, "the connection's end");
  }

  // Until so many messages are ready in the queue.
  async ready(channel, queue, count) {
    let last;
    const there = async () => (last = (await channel.checkQueue(queue)).messageCount) === count;
    await eventually(there, `${count} ready messages in ${queue}`).catch((error) => {
      throw new Error(`${error.message}; there are ${last}`);
    });
  }

  // The next message of the queue, as soon as there is one; it is acknowledged.
  take(channel, queue) {
    return eventually(() => channel.get(queue, { noAck: true }), `a message in ${queue}`);
  }

  // All that is ready, in order.
  async drain(channel, queue) {
    const bodies = [];
    for (let message; (message = await channel.get(queue, { noAck: true }));)
      bodies.push(text(message));
    return bodies;
  }

  async cleanUp() {
    const broom = watch(await within(amqplib.connect(URL_OF_BROKER), "the connection"));
    const channel = watch(await broom.createChannel());
    for (const connection of this.connections) await connection.close().catch(() => {});
    for (const queue of this.queues) await channel.deleteQueue(queue);
    for (const exchange of this.exchanges) await channel.deleteExchange(exchange);
    await broom.close();
  }
}

async function runCase({ name, body }, number) {
  const context = new Context(number);
  try {
    context.connection = await context.connect();
    await within(body(context), "the end of the case", 4 * PATIENCE_MS);
    console.log(`ok - ${name}`);
    return true;
  } catch (error) {
    console.log(`not ok - ${name}: ${error.message.split("\n").filter(Boolean).join(" | ")}`);
    if (process.env.VERBOSE) console.log(error.stack);
    return false;
  } finally {
    await within(context.cleanUp(), "the clean-up").catch((error) =>
      console.log(`# clean-up: ${error.message}`),
    );
  }
}

// Arguments: parts of the names of cases; without any, all run.
async function main(parts) {
  const chosen = cases.filter(
    ({ name }) => !parts.length || parts.some((part) => name.includes(part)),
  );
  let failed = 0;
  let number = 0;
  for (const one of chosen) if (!(await runCase(one, ++number))) ++failed;
  console.log(`# amqplib ${version}: ${chosen.length - failed} passed, ${failed} failed`);
  process.exit(failed || !chosen.length ? 1 : 0);
}

module.exports = {
  amqplib,
  callbackApi,
  URL_OF_BROKER,
  PATIENCE_MS,
  test,
  main,
  within,
  pause,
  eventually,
  watch,
  Inbox,
  text,
};
