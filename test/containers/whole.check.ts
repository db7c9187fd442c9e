import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI from 'openai';
import { chat, openChat, question, readChat } from '../resilience/chat-client.ts';
import { eventually } from '../resilience/observe.ts';
import { HTTP } from './container-stack.ts';
import { Container, type ContainerOptions, docker, Network } from './docker.ts';

/** `docker run IMAGE` with nothing but a provider's key. */

const PROVIDER = 'provider';
const MODEL = 'openai/gpt-4o-mini';
/** What would be the provider's own address is that of a simulator. */
const KEY_OF_PROVIDER = { OPENAI_API_KEY: 'sk-of-the-provider', OPENAI_BASE_URL: `http://${PROVIDER}:9000/v1` };

let network: Network;
const started: Container[] = [];

before(async () => {
  network = await Network.create();
  const command = ['simulator', '--host', '0.0.0.0', '--port', '9000'];
  started.push(await Container.run(PROVIDER, { command, network, alias: PROVIDER }));
});
after(async () => {
  await Promise.all(started.map((container) => container.remove()));
  await network?.remove();
});

interface Whole {
  readonly container: Container;
  readonly key: string;
  readonly client: OpenAI;
}

async function runWhole(options: ContainerOptions = {}): Promise<Whole> {
  const container = await Container.run('whole', { env: KEY_OF_PROVIDER, network, ports: [HTTP], ...options });
  started.push(container);
  return await whole(container);
}

/** Resolves when it has said, for the `times`th time, that it is ready. */
async function whole(container: Container, times = 1): Promise<Whole> {
  const keys = await eventually(
    'the banner',
    async () => {
      assert.equal(await container.inspect('{{.State.Running}}'), 'true', await container.logs());
      const said = [...(await container.logs()).matchAll(/^ {2}API key {3}(\S+)$/gm)].map(([, key = '']) => key);
      return said.length >= times ? said : null;
    },
    40_000,
  );
  const key = keys.at(-1) ?? '';
  const client = new OpenAI({ apiKey: key, baseURL: `${container.origin(HTTP)}/v1`, maxRetries: 0 });
  return { container, key, client };
}

const ask = async ({ client }: Pick<Whole, 'client'>): Promise<string | null | undefined> => {
  const messages = [{ role: 'user', content: '[[sim text=hello]]' }] as const;
  const { choices } = await client.chat.completions.create({ model: MODEL, messages: [...messages] });
  return choices[0]?.message.content;
};

const programs = async (container: Container): Promise<readonly { pid: number; args: string }[]> =>
  (await docker('top', container.id, '-eo', 'pid,args'))
    .split('\n')
    .slice(1)
    .map((line) => ({ pid: Number.parseInt(line, 10), args: line.trim() }));

describe('docker run with nothing but a provider key', () => {
  let one: Whole;
  before(async () => {
    one = await runWhole({ writable: true });
  });

  test('answers the OpenAI SDK: chat, a stream, models, embeddings small and large', async () => {
    assert.equal(await ask(one), 'hello');
    const { client } = one;
    const messages = [{ role: 'user' as const, content: '[[sim tokens=8]]Tell.' }];
    let text = '';
    for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    assert.ok(text.length > 0);
    assert.ok((await client.models.list()).data.some(({ id }) => id === MODEL));
    for (const count of [1, 5_000]) {
      const input = Array.from({ length: count }, (_, i) => `text ${i}`);
      const { data } = await client.embeddings.create({ model: 'openai/text-embedding-3-small', input, dimensions: 8 });
      assert.equal(data.length, count);
    }
  });

  test('the lines of its banner work, and nothing it prints holds the provider key', async () => {
    const printed = await one.container.logs();
    assert.match(printed, /answers {3}openai\n/);
    assert.match(printed, /curl http:\/\/127\.0\.0\.1:8080\/v1\/chat\/completions/);
    assert.ok(!printed.includes(KEY_OF_PROVIDER.OPENAI_API_KEY));
    const [, id = '', command = ''] = /more keys docker exec (\S+) (headgate .*)/.exec(printed) ?? [];
    assert.ok(one.container.id.startsWith(id) && id !== '');
    const made = await one.container.exec(...command.split(' '));
    assert.equal(made.code, 0, made.stderr);
    const key = /hg_[\w-]+/.exec(made.stdout)?.[0] ?? '';
    const other = new OpenAI({ apiKey: key, baseURL: `${one.container.origin(HTTP)}/v1` });
    assert.equal(await ask({ client: other }), 'hello');
  });

  test('stopped and started again it has the same key, and the keys that were made', async () => {
    const began = performance.now();
    assert.equal(await one.container.stop(10), 0);
    assert.ok(performance.now() - began < 8_000);
    await one.container.start();
    const again = await whole(one.container, 2);
    assert.equal(again.key, one.key);
    assert.equal(await ask(again), 'hello');
    const listed = await one.container.exec('headgate', 'keys', 'list');
    assert.match(listed.stdout, /my-app/, listed.stderr);
  });
});

describe('the whole gateway in one container', () => {
  test('needs nothing to write to; docker stop ends a stream with an error of its own, and all processes', async (t) => {
    const one = await runWhole();
    const { container, key } = one;
    assert.equal(await ask(one), 'hello');
    const target = { port: container.port(HTTP), key };
    const stream = openChat(target, {
      model: MODEL,
      stream: true,
      messages: question('[[sim tokens=1000 tps=20]] on'),
    });
    await stream.untilText('"content":"');
    const began = performance.now();
    const code = await container.stop(10);
    t.diagnostic(`stopped in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    assert.equal(code, 0, await container.logs());
    const cut = await readChat(stream);
    assert.deepEqual([cut.end, cut.errors.map((error) => error.code)], ['complete', ['shutting_down']]);
  });

  test('without any key the simulator answers, and the banner says so; a key of HEADGATE_API_KEY is the key', async () => {
    const one = await runWhole({ env: { HEADGATE_API_KEY: 'my-own-key-0123456789' } });
    assert.equal(one.key, 'my-own-key-0123456789');
    assert.equal(await ask(one), 'hello');
    assert.match(await one.container.logs(), /answers {3}the simulator, with made-up text/);
    await one.container.remove();
  });

  test('ends with a reason when one of its processes does, and uses the Redis that it is given', async () => {
    const command = ['--bind', '0.0.0.0', '--protected-mode', 'no'];
    const options = ['--entrypoint', '/opt/valkey/valkey-server'];
    const env = { LD_LIBRARY_PATH: '/opt/valkey/lib' };
    started.push(await Container.run('redis', { command, options, env, network, alias: 'own-redis' }));
    const one = await runWhole({ env: { ...KEY_OF_PROVIDER, REDIS_URL: 'redis://own-redis:6379' } });
    const running = await programs(one.container);
    assert.ok(!running.some(({ args }) => args.includes('valkey-server')));
    const control = running.find(({ args }) => args.includes('control/dist/main.js'));
    assert.ok(control);
    process.kill(control.pid, 'SIGKILL');
    assert.equal(await one.container.ended(), 1);
    assert.match(await one.container.logs(), /headgate: control was ended by SIGKILL/);
  });

  test('a volume at /data outlives the container', async () => {
    const volume = `${network.name}-data`;
    const options = ['--volume', `${volume}:/data`];
    try {
      const one = await runWhole({ options });
      assert.equal(await one.container.stop(10), 0);
      await one.container.remove();
      const next = await runWhole({ options });
      assert.equal(next.key, one.key);
      const { port, key } = { port: next.container.port(HTTP), key: one.key };
      assert.equal(
        (await chat({ port, key }, { model: MODEL, messages: question('[[sim tokens=3]] Hi.') })).status,
        200,
      );
      await next.container.remove();
    } finally {
      await docker('volume', 'rm', '--force', volume);
    }
  });
});
