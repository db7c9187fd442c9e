import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { type ChatBody, type ChatResult, chat, openChat, question, readChat, type Target } from './chat-client.ts';
import { CREDENTIAL, configuration, type Settings, targetOf } from './configuration.ts';
import { Load } from './load.ts';
import { eventually, metrics } from './observe.ts';

const WORKERS = 2;
const FIRST = 'hg_first_key_0123456789abcdef';
const SECOND = 'hg_second_key_0123456789abcdef';
const quick: ChatBody = { model: 'test/one', messages: question('[[sim tokens=5]] quick') };

let stack: Stack;

const withKeys = (...keys: readonly string[]): Settings => ({
  keys: keys.map((key, i) => ({ name: `key ${i}`, key })),
});

before(async () => {
  stack = await startStack({
    processes: WORKERS,
    config: ([simulator]) => configuration(simulator, withKeys(FIRST)),
  });
});

after(() => stack.stop());

const write = (content: object | string): void =>
  writeFileSync(stack.configFile, typeof content === 'string' ? content : JSON.stringify(content));

const versions = async (): Promise<number[]> =>
  (await metrics(stack)).filter(({ name }) => name === 'headgate_snapshot_version').map(({ value }) => value);

/** Each request is on a connection of its own, so that many of them reach every worker. */
const askMany = (target: Target, body: ChatBody): Promise<ChatResult[]> =>
  Promise.all(Array.from({ length: 24 }, () => chat(target, body)));

const allSay = (target: Target, body: ChatBody, status: number): Promise<boolean> =>
  eventually(`${body.model} is ${status} on every worker`, async () =>
    (await askMany(target, body)).every((answer) => answer.status === status),
  );

const refusals = (): readonly Readonly<Record<string, unknown>>[] =>
  stack.logs('control').filter(({ msg }) => String(msg).startsWith('configuration refused'));

test('an edit is served by every worker, under load without a failed request, and the version rises', async () => {
  const load = new Load(targetOf(stack), 2, quick);
  await load.more(10);
  const before = (await stack.health()).version ?? 0;
  assert.deepEqual(await versions(), [before, before]);
  assert.equal((await chat(targetOf(stack), { ...quick, model: 'test/new' })).status, 404);
  const models = [{ id: 'test/new', endpoints: [{ provider: 'beta', model: 'two' }] }];
  await stack.reconfigure(configuration(stack.simulator(), { ...withKeys(FIRST), models }));
  await allSay(targetOf(stack), { ...quick, model: 'test/new' }, 200);
  const now = (await stack.health()).version ?? 0;
  assert.ok(now > before, `version ${now} after ${before}`);
  assert.deepEqual(await versions(), [now, now]);
  await load.more(10);
  await load.stop();
  assert.deepEqual(load.failures, []);
});

test('a broken edit is refused, told with its place, and changes nothing', async () => {
  const { version } = await stack.health();
  const broken: readonly (readonly [content: string, told: RegExp])[] = [
    ['models: [ { id: ', /headgate\.yaml/],
    [JSON.stringify({ ...configuration(stack.simulator()), modles: [] }), /modles/],
    [JSON.stringify(configuration(stack.simulator(), { server: { maxBodyBytes: 'much' } })), /server\.maxBodyBytes/],
    [
      JSON.stringify(
        configuration(stack.simulator(), {
          models: [{ id: 'test/x', endpoints: [{ provider: 'nobody', model: 'x' }] }],
        }),
      ),
      /nobody/,
    ],
  ];
  for (const [content, told] of broken) {
    const said = refusals().length;
    write(content);
    const refusal = await eventually(`a refusal of ${content.slice(0, 40)}`, () => refusals()[said]);
    assert.equal(refusal.level, 'error');
    assert.match(JSON.stringify(refusal.reasons), told);
    assert.ok(!JSON.stringify(refusal).includes(FIRST), 'no key in the log');
    assert.ok((await askMany(targetOf(stack), quick)).every(({ status }) => status === 200));
    assert.equal((await stack.health()).version, version);
  }
  const said = refusals().length;
  rmSync(stack.configFile);
  assert.match(
    JSON.stringify((await eventually('the file is missed', () => refusals()[said])).reasons),
    /gone|no such file/,
  );
  assert.equal((await chat(targetOf(stack), quick)).status, 200);
});

test('a file put in the place of the old one, as editors do, is served', async () => {
  const models = [{ id: 'test/replaced', endpoints: [{ provider: 'beta', model: 'two' }] }];
  const next = `${stack.configFile}.next`;
  writeFileSync(next, JSON.stringify(configuration(stack.simulator(), { ...withKeys(FIRST), models })));
  renameSync(next, stack.configFile);
  await allSay(targetOf(stack), { ...quick, model: 'test/replaced' }, 200);
});

test('a key that is added works, one that is removed is refused, on every worker', async () => {
  const first = { port: stack.port, key: FIRST };
  const second = { port: stack.port, key: SECOND };
  await allSay(first, quick, 200);
  await allSay(second, quick, 401);
  write(configuration(stack.simulator(), withKeys(FIRST, SECOND)));
  await allSay(second, quick, 200);
  write(configuration(stack.simulator(), withKeys(SECOND)));
  await allSay(first, quick, 401);
  const [refused] = await askMany(first, quick);
  assert.equal(refused?.errors[0]?.type, 'authentication_error');
  assert.ok(!refused?.raw.includes(FIRST));
  assert.ok((await askMany(second, quick)).every(({ status }) => status === 200));
});

test('streams of a provider that an edit removes run to their end', async () => {
  const slow = { model: 'test/one', stream: true, messages: question('[[sim tokens=30 tps=20]] slow') };
  const streams = Array.from({ length: 8 }, () => openChat(targetOf(stack), slow));
  await Promise.all(streams.map((stream) => stream.untilText('"content":"')));
  const elsewhere = stack.simulator().baseUrl.replace('127.0.0.1', 'localhost');
  await stack.reconfigure({
    providers: { other: { dialect: 'openai', baseUrl: elsewhere, apiKey: CREDENTIAL } },
    models: [{ id: 'test/other', endpoints: [{ provider: 'other', model: 'two' }] }],
  });
  await allSay(targetOf(stack), { ...quick, model: 'test/other' }, 200);
  await allSay(targetOf(stack), quick, 404);
  assert.ok(
    streams.every((stream) => !stream.text.includes('[DONE]')),
    'the edit came in the middle of them',
  );
  for (const answer of await Promise.all(streams.map(readChat))) {
    assert.equal(answer.end, 'complete');
    assert.ok(answer.done);
  }
});
