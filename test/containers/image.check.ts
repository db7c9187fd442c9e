import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ContainerStack, HTTP } from './container-stack.ts';
import { Container, docker, image } from './docker.ts';

/** What the image is, and how each of its roles starts and ends. */

const MOST_BYTES = 200e6;
/** The exit code of a process that SIGKILL ended: it did not listen to SIGTERM. */
const KILLED = 137;

interface ImageFacts {
  readonly Size: number;
  readonly Config: {
    readonly User: string;
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
}

/** The names of all files of the image. */
async function filesOf(name: string): Promise<readonly string[]> {
  const id = await docker('create', name);
  try {
    const tar = spawn('sh', ['-c', `docker export ${id} | tar -t`], { stdio: ['ignore', 'pipe', 'inherit'] });
    const files: string[] = [];
    for await (const line of createInterface({ input: tar.stdout })) files.push(line);
    return files;
  } finally {
    await docker('rm', id);
  }
}

/** Runs a container to its end. */
async function outcome(name: string, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const container = await Container.run(name, { command, env });
  try {
    return { code: await container.ended(), printed: await container.logs() };
  } finally {
    await container.remove();
  }
}

describe('the image', () => {
  test('is small, not root, labelled, and does the whole gateway by itself', async (t) => {
    const [facts] = JSON.parse(await docker('image', 'inspect', image())) as ImageFacts[];
    assert.ok(facts);
    t.diagnostic(`${(facts.Size / 1e6).toFixed(1)} MB`);
    assert.ok(facts.Size < MOST_BYTES, `${facts.Size} bytes`);
    const { User, Cmd, Env, Labels } = facts.Config;
    assert.deepEqual([User, Cmd], ['65532:65532', ['all']]);
    assert.ok(Env.includes('NODE_ENV=production'));
    for (const label of ['title', 'description', 'licenses', 'version', 'revision']) {
      assert.ok(Labels[`org.opencontainers.image.${label}`], label);
    }
  });

  test('holds no shell, no package manager, no sources, and one binary of uWebSockets.js', async () => {
    const files = await filesOf(image());
    assert.ok(files.includes('app/services/ingress/dist/main.js'), 'it was listed');
    const unwanted =
      /(^|\/)(sh|bash|dash|busybox|npm|npx|apt|apt-get|dpkg|curl|wget|valkey-cli)$|\.ts$|\.test\.m?js$|\.map$/;
    assert.deepEqual(
      files.filter((file) => unwanted.test(file)),
      [],
    );
    assert.equal(files.filter((file) => /uws_.*\.node$/.test(file)).length, 1);
    assert.deepEqual(
      files.filter((file) => /(^|\/)(\.env|\.npmrc|\.git|headgate\.yaml)$/.test(file)),
      [],
    );
  });

  test('trusts whom its base trusts: nothing of the machine that built it', async () => {
    const files = await filesOf(image());
    assert.deepEqual(
      files.filter((file) => /^(app|opt|data)\/.*\.(crt|pem)$/.test(file)),
      [],
    );
    const history = await docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', image());
    assert.doesNotMatch(history, /ca-certificates\.crt.*COPY|NODE_EXTRA_CA_CERTS/);
  });

  test('has what is loaded on demand only', async () => {
    const modules = [
      ...['@azure/identity', '@aws-sdk/client-s3', '@aws-sdk/credential-provider-node', 'google-auth-library'],
      ...['@opentelemetry/sdk-node', '@opentelemetry/exporter-metrics-otlp-grpc', '@pydantic/genai-prices'],
      ...['@opentelemetry/exporter-metrics-otlp-http', '@opentelemetry/exporter-metrics-otlp-proto', 'bullmq', 'luxon'],
      ...['gpt-tokenizer/encoding/o200k_base', 'uWebSockets.js', 'node-fetch'],
    ];
    const script = `
      for (const name of ${JSON.stringify(modules)}) await import(name);
      const { DefaultAzureCredential } = await import('@azure/identity');
      new DefaultAzureCredential();
      const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
      console.log('tokens', countTokens('Hello world'));`;
    const container = await Container.run('modules', {
      options: ['--entrypoint', '/nodejs/bin/node', '--workdir', '/app/services/core'],
      command: ['--input-type=module', '--eval', script],
    });
    const code = await container.ended();
    const printed = await container.logs();
    await container.remove();
    assert.equal(code, 0, printed);
    assert.match(printed, /tokens 2/);
  });
});

describe('roles', () => {
  test('a role that is none is told, with those that are', async () => {
    const { code, printed } = await outcome('unknown', ['ingres']);
    assert.equal(code, 64);
    assert.match(printed, /no role "ingres".*all, ingress, embedder, control, simulator/);
  });

  test('a service without what it needs says what that is', async () => {
    for (const role of ['ingress', 'control', 'embedder']) {
      const { code, printed } = await outcome(role, [role]);
      assert.ok(code !== 0 && code !== KILLED, `${role}: ${code}`);
      assert.match(printed, /HEADGATE_SECRET is not set/, role);
    }
    const { code, printed } = await outcome('all', [], { HEADGATE_PORT: 'eighty' });
    assert.equal(code, 78, printed);
    assert.match(printed, /HEADGATE_PORT: found "eighty"/);
  });

  test('SIGTERM ends a service also while it starts, and while it waits for a Redis that is not there', async () => {
    const provider = { OPENAI_API_KEY: 'sk-simulated' };
    const env = { ...provider, HEADGATE_SECRET: 'a secret of some length', REDIS_URL: 'redis://127.0.0.1:1' };
    const started = await Promise.all(
      ['ingress', 'control', 'embedder', 'simulator', 'all'].flatMap((role) =>
        [0, 1_500].map(async (pause) => {
          const container = await Container.run(role, { command: [role], env: role === 'all' ? provider : env });
          await delay(pause);
          return { role, pause, container };
        }),
      ),
    );
    const ended = started.map(async ({ role, pause, container }) => {
      const code = await container.stop(10);
      const logs = await container.logs();
      await container.remove();
      return { what: `${role}, stopped after ${pause} ms`, code, logs };
    });
    for (const { what, code, logs } of await Promise.all(ended)) {
      assert.ok(code === 0 || code === 143, `${what}: ${code}\n${logs}`);
    }
  });
});

describe('services of a running gateway', () => {
  let stack: ContainerStack;
  before(async () => {
    stack = await ContainerStack.start({
      embedders: 1,
      config: ([simulator]) => ({
        providers: { openai: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: 'sk-simulated' } },
      }),
    });
  });
  after(() => stack?.stop());

  async function upload(port: number, bytes: number): Promise<Response> {
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob([`${JSON.stringify({ pad: 'x'.repeat(bytes) })}\n`]), 'large.jsonl');
    return await fetch(`http://127.0.0.1:${port}/v1/files`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.key}` },
      body: form,
      signal: AbortSignal.timeout(30_000),
    });
  }

  /**
   * Uploads while Redis takes nothing for a moment, shorter than what makes it a failure of its own: what has come in meanwhile
   * must be kept somewhere. How much that is, is up to the machine: the first answer that `isIt`, of some uploads.
   */
  async function uploadToSlowStore(port: number, isIt: (status: number, text: string) => boolean): Promise<string> {
    const answers: string[] = [];
    for (let tries = 0; tries < 10; tries++) {
      await docker('pause', stack.redis.id);
      const answer = upload(port, 24_000_000);
      await delay(600);
      await docker('unpause', stack.redis.id);
      const response = await answer;
      const text = await response.text();
      if (isIt(response.status, text)) return text;
      answers.push(`${response.status} ${text}`);
    }
    throw new Error(`none of these is what was looked for: ${answers.join(' ')}`);
  }

  test('a large upload needs /tmp where the store is slow, and says so; with it, nothing else is needed', async () => {
    const lacksRoom = (status: number, text: string) => status === 500 && text.includes('no_temporary_space');
    const refused = await uploadToSlowStore(stack.port, lacksRoom);
    assert.match(refused, /temporary folder \/tmp cannot be written \(EROFS\).*Mount a writable volume/);
    assert.equal((await fetch(`${stack.origin}/health/ready`)).status, 200, 'the ingress goes on');
    assert.equal((await upload(stack.port, 100_000)).status, 200);
    const roomy = await stack.addIngress({}, ['--tmpfs', '/tmp']);
    await uploadToSlowStore(roomy.port(HTTP), (status, text) => {
      assert.ok(!lacksRoom(status, text), text);
      return status === 200;
    });
  });

  test('each ends by itself at SIGTERM, with exit code 0', async () => {
    for (const container of [stack.ingress(), ...stack.embedders, stack.control, stack.simulator().container]) {
      assert.equal(await container.stop(10), 0, `${container.name}\n${(await container.logs()).slice(-1_000)}`);
    }
  });
});
