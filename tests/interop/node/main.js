// amqplib, the client library for Node.js, against the broker at AMQP_URL.
//
//   AMQP_URL=amqp://… NODE_PATH=…/node_modules [AMQPLIB=amqplib-0.10] node main.js [PART OF NAME…]
//
// Needs: Node.js 18 or newer and the packages of package.json beside this file, both generations of
// amqplib; ../node_test.py runs it with each, against a Haypile of its own or the broker at
// HAYPILE_TEST_URI. What passes on RabbitMQ 3.10: every case, with both. One line a case.
"use strict";
process.on("unhandledRejection", (error) => {
  console.log(`not ok - unhandled: ${error.stack}`);
  process.exit(1);
});
for (const topic of [
  "connections",
  "messages",
  "confirms",
  "consumers",
  "queues",
  "expiry",
  "exchanges",
  "callbacks",
]) {
  require(`./${topic}.js`);
}
require("./support.js").main(process.argv.slice(2));
