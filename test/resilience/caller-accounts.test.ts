import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { after, before, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { type Stack, startStack } from '../support/stack.ts';
import { SELF_SIGNED } from './self-signed.ts';

const MODEL = 'test/gemini';

/** Google's token service as the gateway reaches it: through a proxy that ends TLS itself. Issues one token an assertion. */
class TokenService {
  /** `client_email` of every exchange. */
  readonly exchanges: string[] = [];
  readonly #http = createServer((request, response) => void this.#exchange(request).then((json) => response.end(json)));
  readonly #proxy: Server = createServer();

  async start(): Promise<string> {
    this.#proxy.on('connect', (request: IncomingMessage, socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      assert.equal(request.url, 'oauth2.googleapis.com:443');
      this.#http.emit('connection', new TLSSocket(socket, { isServer: true, ...SELF_SIGNED }));
    });
    await once(this.#proxy.listen(0, '127.0.0.1'), 'listening');
    const address = this.#proxy.address();
    assert.ok(address !== null && typeof address === 'object');
    return `http://127.0.0.1:${address.port}`;
  }

  async #exchange(request: IncomingMessage): Promise<string> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [, claims = ''] = (new URLSearchParams(body).get('assertion') ?? '').split('.');
    const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iss: string };
    this.exchanges.push(iss);
    const token = `ya29.token-${this.exchanges.length}-of-${iss.slice(0, 4)}`;
    return JSON.stringify({ access_token: token, expires_in: 3_600, token_type: 'Bearer' });
  }

  stop(): void {
    this.#proxy.close();
    this.#proxy.closeAllConnections();
  }
}

const tokens = new TokenService();
let stack: Stack;

before(async () => {
  const proxy = await tokens.start();
  stack = await startStack({
    env: { HTTPS_PROXY: proxy, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    config: ([simulator]) => ({
      auth: { keys: [] },
      providers: {
        vertex: {
          dialect: 'vertex',
          baseUrl: simulator?.url ?? '',
          project: 'simulated',
          location: 'us-east5',
          accessToken: 'ya29.of-the-gateway',
        },
      },
      models: [{ id: MODEL, endpoints: [{ provider: 'vertex', model: 'gemini-2.5-flash' }] }],
    }),
  });
});
after(async () => {
  await stack?.stop();
  tokens.stop();
});

const account = (name: string) => ({
  clientEmail: `${name}@project.iam.gserviceaccount.com`,
  privateKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
});

async function ask(googleCredentials: ReturnType<typeof account>): Promise<void> {
  const response = await fetch(`${stack.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: MODEL,
      messages: [{ role: 'user', content: 'Hello' }],
      providerOptions: { gateway: { byok: { vertex: [{ googleCredentials }] } } },
    }),
  });
  assert.equal(response.status, 200, await response.text());
}

/** The ends of the tokens that the provider has seen since; the simulator shows no more of a credential. */
async function seenSince(since: number): Promise<readonly string[]> {
  const received = await stack.simulator().requests({ since });
  return received.map(({ headers }) => headers.authorization ?? '');
}

test("a caller's service account is exchanged once for many requests, and serves nobody else", async () => {
  const [anna, bert] = [account('anna'), account('bert')];
  const since = await stack.simulator().lastSeq();
  await Promise.all([ask(anna), ask(anna), ask(anna)]);
  await ask(anna);
  assert.deepEqual(tokens.exchanges, [anna.clientEmail]);
  await ask(bert);
  await ask(anna);
  await ask(bert);
  assert.deepEqual(tokens.exchanges, [anna.clientEmail, bert.clientEmail]);
  assert.deepEqual(await seenSince(since), [
    ...Array<string>(4).fill('Bearer …anna'),
    'Bearer …bert',
    'Bearer …anna',
    'Bearer …bert',
  ]);
  // The same address with another key is somebody else, until Google says otherwise.
  const impostor = { ...account('anna'), clientEmail: anna.clientEmail };
  await ask(impostor);
  assert.equal(tokens.exchanges.length, 3);
  const told = JSON.stringify([stack.logs('ingress'), stack.logs('control')]);
  for (const secret of ['PRIVATE KEY', 'ya29.token', anna.clientEmail])
    assert.equal(told.includes(secret), false, secret);
});
