import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { banner, originOf, quoteForShell } from './banner.mjs';

const running = {
  host: '0.0.0.0',
  port: 8080,
  apiKey: 'hg_key',
  simulated: false,
  providers: ['openai', 'mistral'],
  exampleModel: 'openai/gpt-4.1-mini',
  configFile: null,
  seconds: 2.345,
  logs: '/var/lib/headgate/logs',
};

test('it has the base URL, the key and who answers, and is short', () => {
  const text = banner(running);
  assert.match(text, /base URL {2}http:\/\/127\.0\.0\.1:8080\/v1\n/);
  assert.match(text, /API key {3}hg_key\n/);
  assert.match(text, /answers {3}openai, mistral\n/);
  assert.match(text, /logs are in \/var\/lib\/headgate\/logs\./);
  assert.ok(text.trim().split('\n').length <= 10);
});

test('a simulated answer is announced as such', () => {
  assert.match(
    banner({ ...running, simulated: true, providers: ['simulator'] }),
    /answers {3}the simulator.*no provider/,
  );
});

test('without a model there is no example', () => {
  assert.doesNotMatch(banner({ ...running, exampleModel: '' }), /curl|OpenAI/);
});

test('the curl line reaches curl as it is meant, whatever is in the key', () => {
  const apiKey = `it's "a" $KEY \\ \`id\``;
  const line =
    banner({ ...running, apiKey })
      .split('\n')
      .find((text) => text.includes('curl ')) ?? '';
  const words = execFileSync('sh', ['-c', `curl() { printf '%s\\n' "$@"; }; ${line}`], { encoding: 'utf8' }).split(
    '\n',
  );
  assert.equal(words[0], 'http://127.0.0.1:8080/v1/chat/completions');
  assert.ok(words.includes(`Authorization: Bearer ${apiKey}`));
  const body = words[words.indexOf('-d') + 1] ?? '';
  assert.equal(JSON.parse(body).model, 'openai/gpt-4.1-mini');
});

test('the SDK line is JavaScript that calls the SDK as it is meant', async () => {
  const line =
    banner({ ...running, apiKey: `it's "a" key` })
      .split('\n')
      .find((text) => text.includes('import OpenAI')) ?? '';
  const body = line.trim().replace("import OpenAI from 'openai'; ", '');
  /** @type {any[]} */
  const seen = [];
  class OpenAI {
    /** @param {unknown} options */
    constructor(options) {
      seen.push(options);
      const create = async (/** @type {unknown} */ request) => {
        seen.push(request);
        return { choices: [{ message: { content: 'hi' } }] };
      };
      this.chat = { completions: { create } };
    }
  }
  const AsyncFunction = /** @type {any} */ (async () => {}).constructor;
  await new AsyncFunction('OpenAI', 'console', body)(OpenAI, { log: (/** @type {string} */ text) => seen.push(text) });
  assert.deepEqual(seen[0], { baseURL: 'http://127.0.0.1:8080/v1', apiKey: `it's "a" key` });
  assert.equal(seen[1].messages[0].role, 'user');
  assert.equal(seen[2], 'hi');
});

test('the origin is one that a client can use', () => {
  assert.equal(originOf({ host: '::', port: 1 }), 'http://[::1]:1');
  assert.equal(originOf({ host: 'fe80::1', port: 1 }), 'http://[fe80::1]:1');
  assert.equal(originOf({ host: '10.0.0.2', port: 1 }), 'http://10.0.0.2:1');
});

test('a quoted word is one word for the shell', () => {
  for (const word of ['', 'a b', "it's", '"$HOME"', '\\', "''"]) {
    assert.equal(execFileSync('sh', ['-c', `printf %s ${quoteForShell(word)}`], { encoding: 'utf8' }), word);
  }
});
