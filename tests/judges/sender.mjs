// Senders of other people's making: the standard's own library, and GitHub's. Started with a JSON argument {standard, github},
// each {url, secret}; posts one message to each, and one that was altered after it was signed; prints the answers' statuses.
import { sign } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";

const given = JSON.parse(process.argv[2]);
const body = JSON.stringify({ type: "order.paid", timestamp: new Date().toISOString(), data: { name: "Zoë" } });
const now = new Date();
const signed = {
  standard: {
    "webhook-id": "msg_node",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(given.standard.secret).sign("msg_node", now, body),
  },
  github: {
    "x-github-event": "ping",
    "x-github-delivery": "delivery-of-node",
    "x-hub-signature-256": await sign(given.github.secret, body),
  },
};
const found = {};
for (const [name, { url }] of Object.entries(given)) {
  found[name] = [];
  for (const sent of [body, body.replace("Zoë", "Joe"), body]) {
    const headers = { "content-type": "application/json", ...signed[name] };
    found[name].push((await fetch(url, { method: "POST", body: sent, headers })).status);
  }
}
console.log(JSON.stringify(found));
