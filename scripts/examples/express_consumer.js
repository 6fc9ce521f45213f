/* A webhook consumer with Express: prints what was said in every call, each sentence once, after it has answered.

    npm install express standardwebhooks
    WEBHOOK_SECRET=whsec_… PORT=3000 node scripts/examples/express_consumer.js

The bridge posts here with `WEBHOOK_URL=http://127.0.0.1:3000/calls` and the same `WEBHOOK_SECRET`. */

const express = require("express");
const { Webhook } = require("standardwebhooks");

// While the secret changes there are two, with a blank between: either may have signed.
const webhooks = process.env.WEBHOOK_SECRET.split(" ").map((secret) => new Webhook(secret));
const handled = new Map(); // the highest `seq` of each call that was handled
const app = express();

function verified(request) {
  for (const webhook of webhooks) {
    try {
      return webhook.verify(request.body, request.headers);
    } catch {} // the next secret
  }
}

function work(call, event) {
  const place = `${call.id}-${event.seq}`;
  if (event.type === "transcript.final") console.log(`${place} ${event.data.speaker}: ${event.data.text}`);
  if (event.type === "call.ended") console.log(`${place} ended after ${Math.round(event.data.duration)} s`);
}

app.post("/calls", express.raw({ type: "application/json", limit: "1mb" }), (request, response) => {
  const delivery = verified(request);
  if (!delivery) return response.sendStatus(401);
  const { call, events, skipped = [] } = delivery;
  const seen = handled.get(call.id) ?? { highest: 0, holes: new Set() };
  for (const seq of skipped) if (seq > seen.highest) seen.holes.add(seq); // given up: new if they come after all
  const news = events.filter(({ seq }) => !(seq <= seen.highest) || seen.holes.delete(seq)); // interims have none
  for (const { seq } of news) if (seq > seen.highest) seen.highest = seq;
  handled.set(call.id, seen);
  response.sendStatus(204);
  setImmediate(() => news.forEach((event) => work(call, event)));
});

app.listen(process.env.PORT, "127.0.0.1");
