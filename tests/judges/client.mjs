// openid-client, a certified relying party, as an app of a hub. Started with a JSON argument {issuer, person, robot};
// prints the address that a browser must open, reads the one that it is sent back to, then prints what it got, as JSON.
import { createInterface } from "node:readline/promises";
import * as oidc from "openid-client";

const { issuer, person, robot } = JSON.parse(process.argv[2]);
const loopback = { execute: [oidc.allowInsecureRequests] };
const found = (app, algorithm, proof) =>
  oidc.discovery(new URL(issuer), app.client_id, undefined, proof(app.client_secret), { ...loopback, algorithm });

const app = await found(person, "oidc", oidc.ClientSecretBasic);
const verifier = oidc.randomPKCECodeVerifier();
const state = oidc.randomState();
const nonce = oidc.randomNonce();
const question = oidc.buildAuthorizationUrl(app, {
  redirect_uri: person.redirect_uri,
  scope: "openid profile email jobs:read offline_access",
  resource: issuer,
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
  nonce,
});
console.log(question.href);
const lines = createInterface({ input: process.stdin });
const back = await new Promise((resolve) => lines.once("line", resolve));

const tokens = await oidc.authorizationCodeGrant(app, new URL(back), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
  maxAge: 600,
});
const claims = tokens.claims();
const info = await oidc.fetchUserInfo(app, tokens.access_token, claims.sub);
const fresh = await oidc.refreshTokenGrant(app, tokens.refresh_token, { scope: "openid jobs:read" });
const looked = await oidc.tokenIntrospection(app, fresh.access_token);
await oidc.tokenRevocation(app, fresh.refresh_token);
const revoked = await oidc.tokenIntrospection(app, fresh.refresh_token);
let reused = "taken";
try {
  await oidc.refreshTokenGrant(app, tokens.refresh_token);
} catch (error) {
  reused = error.error;
}
const server = await found(robot, "oauth2", oidc.ClientSecretPost);
const alone = await oidc.clientCredentialsGrant(server, { scope: "jobs:read" });
console.log(JSON.stringify({ claims, info, tokens, fresh, looked, revoked, reused, alone }));
lines.close();
