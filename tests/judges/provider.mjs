// A certified OpenID provider (oidc-provider) as somebody else's identity service. It listens on PORT of loopback and
// takes one command per line: `rotate` gives it new keys, so that those before are in its set no more.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const people = {
  thandi: { email: "thandi@issuer.example", name: "Thandi Dlamini", roles: ["technician"] },
  sipho: { email: "sipho@issuer.example", name: "Sipho Nkosi", roles: ["boss"] },
};

function key(type, options, alg) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg, use: "sig" };
}

function made() {
  const provider = new Provider(issuer, {
    jwks: { keys: [key("rsa", { modulusLength: 2048 }, "RS256"), key("ec", { namedCurve: "P-256" }, "ES256")] },
    clients: [
      {
        client_id: "console",
        client_secret: "console-secret",
        redirect_uris: ["http://127.0.0.1/callback"],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
      {
        client_id: "robot",
        client_secret: "robot-secret",
        redirect_uris: [],
        response_types: [],
        grant_types: ["client_credentials"],
      },
    ],
    cookies: { keys: ["for-tests-only"] },
    claims: { openid: ["sub", "roles"], email: ["email"], profile: ["name"] },
    conformIdTokenClaims: false,
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: () => ({
          scope: "jobs:read clients:read",
          audience: "crosstie",
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  });
  return provider.callback();
}

let answer = made();
createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "rotate") answer = made();
  console.log(line);
});
createServer((request, response) => answer(request, response)).listen(port, "127.0.0.1", () => console.log("ready"));
