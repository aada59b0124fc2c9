// A page of an installation, as far as a snippet of the documentation needs one: its own address, requests from it, and
// sockets. Started with a JSON argument {base, key, code, last}; prints each event that the snippet shows, as JSON.
import WebSocket from "ws";

const { base, key, code, last } = JSON.parse(process.argv[2]);
const page = {
  WebSocket,
  fetch: (path, options) => fetch(new URL(path, base), options),
  headers: { authorization: `Bearer ${key}` },
  last,
  location: new URL(base),
  show: (event) => console.log(JSON.stringify(event)),
};
const Snippet = Object.getPrototypeOf(async () => {}).constructor;
await new Snippet(...Object.keys(page), code)(...Object.values(page));
