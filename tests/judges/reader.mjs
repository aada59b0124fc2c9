// Readers of the live stream: `ws` over a WebSocket, Node's fetch over server-sent events. Started with a JSON argument
// {base, key, wire, topics, count, piece}; says "ready" once it hears, is cut without a farewell after every few events,
// comes back with the last cursor, and prints what it heard, as JSON.
import WebSocket from "ws";

const { base, key, wire, topics, count, piece } = JSON.parse(process.argv[2]);
const headers = { authorization: `Bearer ${key}` };
const heard = [];
let last = null;
let cuts = 0;

// Take a frame; true once this connection has had its share.
function take(frame, share) {
  if (frame.type === "error") throw new Error(JSON.stringify(frame.problem));
  if (frame.type === "event") heard.push(frame.event);
  if (last === null) console.log("ready");
  last = frame.cursor;
  return heard.length >= share;
}

function socket(share) {
  const stream = new WebSocket(`${base.replace("http", "ws")}/api/v1/stream`, { headers });
  return new Promise((resolve, reject) => {
    stream.on("open", () => stream.send(JSON.stringify({ action: "subscribe", topics, after: last })));
    stream.on("error", reject);
    stream.on("close", resolve);
    stream.on("message", (data) => {
      if (heard.length < share && take(JSON.parse(data), share)) stream.terminate();
    });
  });
}

async function events(share) {
  const cut = new AbortController();
  const back = last === null ? {} : { "last-event-id": last };
  const answer = await fetch(`${base}/api/v1/events/stream?topics=${topics}`, {
    headers: { ...headers, ...back },
    signal: cut.signal,
  });
  if (!answer.ok) throw new Error(await answer.text());
  let text = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    const parts = (text + piece).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const fields = Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s)));
      if (fields.data === undefined) continue; // a comment
      const frame = JSON.parse(fields.data);
      if (fields.id !== frame.cursor) throw new Error("the id is not the cursor");
      if (take(frame, share)) {
        cut.abort();
        return;
      }
    }
  }
}

while (heard.length < count) {
  await (wire === "websocket" ? socket : events)(Math.min(count, heard.length + piece));
  cuts += 1;
}
console.log(JSON.stringify({ cuts, heard }));
