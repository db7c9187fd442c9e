import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { configuredKeys, KeyTable } from '@headgate/core/identity';
import { RollUp } from '@headgate/core/ledger';
import { redisKeys } from '@headgate/core/redis';
import { KeyStore, SnapshotPublisher } from '@headgate/core/snapshot';
import { CredentialType, UsageRecordSchema, UsageSource } from '@headgate/proto/usage';
import { ulid } from 'ulid';
import { AdminBench, PREFIX, SECRET, TOKEN } from '../admin/admin-bench.testing.ts';
import { readCommand } from './command.ts';
import { connectTo } from './connection.ts';
import { WrongCommand } from './failure.ts';

const BIN = resolve(import.meta.dirname, '../../bin/headgate.mjs');

let bench: AdminBench;
let store: KeyStore;
let directory: string;

before(async () => {
  bench = await AdminBench.start();
  store = new KeyStore(bench.client, PREFIX);
  directory = mkdtempSync(join(tmpdir(), 'headgate-cli-'));
});
beforeEach(async () => void (await bench.client.flushall()));
after(async () => {
  await bench.stop();
  rmSync(directory, { recursive: true });
});

/** Runs the command as a shell would, with nothing of our environment but PATH. */
function runWith(env: Record<string, string>, args: readonly string[]) {
  // Its own state folder: whoever runs the tests may have a gateway of their own in this checkout.
  const own = { PATH: process.env.PATH ?? '', HEADGATE_STATE_DIR: directory };
  const child = spawn(process.execPath, [BIN, ...args], { env: { ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((done) =>
    child.on('close', (code) => done({ code, stdout, stderr })),
  );
}

const headgate = (...args: readonly string[]) =>
  runWith({ HEADGATE_ADMIN_URL: bench.url, HEADGATE_ADMIN_TOKEN: TOKEN }, args);

async function succeed(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await headgate(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

const json = async (...args: readonly string[]) =>
  JSON.parse(await succeed(...args, '--json')) as Record<string, unknown>;

async function lookup(text: string): Promise<string> {
  const found = new KeyTable(SECRET, await store.list()).find(text, Date.now());
  return found.ok ? found.principal.id : found.reason;
}

describe('headgate keys', () => {
  test('create prints the key alone on its line, and the rest beside it', async () => {
    const { code, stdout, stderr } = await headgate(
      ...['keys', 'create', '--name', 'checkout', '--models', 'anthropic/*,openai/gpt-4o', '--models', 'x/y'],
      ...['--group', 'shop', '--rpm', '600', '--tpd', '9007199254', '--budget', '99.50/week', '--budget-mode', 'soft'],
      ...['--queue', '2s/50', '--expires', '30d'],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^hg_[0-9A-Za-z]{43}\n$/);
    assert.match(stderr, /^created key_\w+ \(checkout\)\. This is the key, shown this once:\n$/);
    const [key] = await store.list();
    assert.ok(key);
    assert.equal(await lookup(stdout.trim()), key.id);
    assert.deepEqual(key.models, ['anthropic/*', 'openai/gpt-4o', 'x/y']);
    assert.deepEqual([key.limits?.requestsPerMinute, key.limits?.tokensPerDay], [600n, 9_007_199_254n]);
    assert.deepEqual([key.budget?.usd, key.budget?.window, key.budget?.mode], ['99.50', 2, 2]);
    assert.deepEqual([key.queue?.maxWaitMs, key.queue?.maxWaiting], [2_000, 50]);
    assert.ok(Math.abs(Number(key.expiresAtMs) - Date.now() - 30 * 86_400_000) < 60_000);
  });

  test('list and show, as a table and as JSON', async () => {
    const secret = (await succeed('keys', 'create', '--name', 'a', '--group', 'shop', '--rpm', '5')).trim();
    await succeed('keys', 'create', '--name', 'b', '--budget', '1/total');
    const configured = configuredKeys([{ name: 'file', key: 'key-0123456789', disabled: false }], SECRET);
    await new SnapshotPublisher(bench.client, PREFIX).syncConfiguredKeys(configured);
    const lines = (await succeed('keys', 'list')).trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^ID +NAME +GROUP +KEY +STATE +MODELS +LIMITS +BUDGET$/);
    assert.match(lines[1] ?? '', /^cfg_\w+ +file +- +- +active +all +- +-$/);
    assert.ok(lines.some((line) => /^key_\w+ +a +shop +hg_\w{4}\.\.\. +active +all +rpm=5 +-$/.test(line)));
    assert.ok(lines.some((line) => /^key_\w+ +b +- .* \$1\/total hard$/.test(line)));
    assert.equal(lines.length, 4);
    assert.equal((await succeed('keys', 'list', '--group', 'shop')).trimEnd().split('\n').length, 2);
    const listed = (await json('keys', 'list', '--group', 'shop')) as { keys: Record<string, unknown>[] };
    assert.deepEqual(
      listed.keys.map(({ name, disabled }) => [name, disabled]),
      [['a', false]],
    );
    assert.match(await succeed('keys', 'show', 'a'), /^limits +rpm=5$/m);
    assert.equal((await json('keys', 'show', String(listed.keys[0]?.id))).name, 'a');
    assert.ok(!JSON.stringify(listed).includes(secret));
  });

  test('update changes what is named and nothing else', async () => {
    await succeed('keys', 'create', '--name', 'a', '--rpm', '5', '--tpm', '7', '--budget', '1/day', '--models', 'x/*');
    await succeed('keys', 'update', 'a', '--rpm', 'none', '--concurrency', '3', '--budget-mode', 'shadow');
    let [key] = await store.list();
    const { limits, budget } = key ?? {};
    assert.deepEqual([limits?.requestsPerMinute, limits?.tokensPerMinute, limits?.concurrency], [0n, 7n, 3n]);
    assert.deepEqual([budget?.usd, budget?.window, budget?.mode], ['1', 1, 3]);
    assert.deepEqual(key?.models, ['x/*']);
    await succeed('keys', 'update', 'a', '--budget', '2/month', '--models', 'all', '--name', 'b', '--queue', '1s');
    [key] = await store.list();
    assert.deepEqual([key?.name, key?.models, key?.queue?.maxWaitMs], ['b', [], 1_000]);
    assert.deepEqual([key?.budget?.usd, key?.budget?.mode], ['2', 3], 'the mode stays');
    await succeed('keys', 'update', 'b', '--budget', 'none', '--queue', 'none', '--expires', 'never');
    [key] = await store.list();
    assert.deepEqual([key?.budget, key?.queue, key?.limits?.concurrency], [undefined, undefined, 3n]);
  });

  test('disable, enable, rotate and delete', async () => {
    const first = (await succeed('keys', 'create', '--name', 'a')).trim();
    assert.match(await succeed('keys', 'disable', 'a'), /^state +disabled$/m);
    assert.equal(await lookup(first), 'disabled');
    assert.match(await succeed('keys', 'enable', 'a'), /^state +active$/m);
    const rotated = await headgate('keys', 'rotate', 'a', '--overlap', '1h');
    assert.match(rotated.stderr, /the old key works until 20\d\d-/);
    const second = rotated.stdout.trim();
    const [{ id } = { id: '' }] = await store.list();
    assert.deepEqual([await lookup(first), await lookup(second)], [id, id]);
    const { secret: third } = await json('keys', 'rotate', id, '--overlap', '0');
    assert.deepEqual([await lookup(second), await lookup(String(third))], ['unknown', id]);
    assert.equal((await headgate('keys', 'delete', 'a')).stderr, `deleted ${id} (a)\n`);
    assert.equal(await lookup(String(third)), 'unknown');
  });
});

describe('headgate usage', () => {
  const at = Date.parse('2026-06-15T12:00:00Z');

  const record = create(UsageRecordSchema, {
    generationId: `gen_${ulid(at)}`,
    createdAtMs: BigInt(at),
    principalId: 'key_a',
    keyName: 'checkout',
    user: 'ada\u001b[31m',
    model: 'openai/gpt-4o',
    provider: 'openai',
    providerModel: 'gpt-4o-2024',
    credentialType: CredentialType.SYSTEM,
    usageSource: UsageSource.DRAINED,
    status: 200,
    inputTokens: 12n,
    outputTokens: 5n,
    costUsd: '0.00123',
    marketCostUsd: '0.00123',
  });

  test('report, generation and budgets, as tables and as JSON', async () => {
    await new RollUp(bench.client, redisKeys(PREFIX), { generationHours: 72, reportDays: 400 }).add([record]);
    const june = ['--from', '2026-06-01', '--to', '2026-06-30'];
    const report = await succeed('usage', 'report', ...june, '--group-by', 'user');
    assert.match(report, /^USER +REQUESTS +INPUT +CACHED +OUTPUT +REASONING +COST USD +MARKET USD\n/);
    assert.match(
      report,
      /^ada\?\[31m +1 +12 +0 +5 +0 +0\.00123 +0\.00123$/m,
      'no escape sequence reaches the terminal',
    );
    const { rows } = (await json('usage', 'report', ...june, '--model', 'openai/gpt-4o')) as { rows: unknown[] };
    assert.equal((rows[0] as { totalCost: string }).totalCost, '0.00123');
    assert.match(await succeed('usage', 'report'), /^DAY +REQUESTS/, 'this month, where nothing is said');
    const generation = await succeed('usage', 'generation', record.generationId);
    assert.match(generation, /^key +checkout \(key_a\)$/m);
    assert.match(generation, /^counted by +drained$/m);
    assert.equal((await json('usage', 'generation', record.generationId)).costUsd, '0.00123');
    assert.match(await succeed('budgets'), /^group +shop +\$50\/day soft +0 +20\d\d-\d\d-\d\dT00:00:00\.000Z$/m);
    const { budgets } = (await json('budgets')) as { budgets: { subjectKind: string }[] };
    assert.deepEqual(
      budgets.map(({ subjectKind }) => subjectKind),
      ['group'],
    );
  });
});

describe('what goes wrong', () => {
  const wrong: readonly (readonly [args: string, words: RegExp])[] = [
    ['', /no command; there are keys create/],
    ['keys', /no such command: keys; there are keys create, keys list/],
    ['keys crate --name a', /no such command: keys crate/],
    ['keys create', /--name is missing/],
    ['keys create --nam a', /keys create: Unknown option '--nam'; it takes --name, --group/],
    ['keys create --name a --rpm many', /--rpm: found "many", expected a whole number above zero, or none/],
    ['keys create --name a --budget 100', /--budget: found "100", expected .*100\/month \(day, week, month, total\)/],
    ['keys create --name a --budget 100/year', /--budget: found "100\/year"/],
    ['keys create --name a --budget-mode soft', /--budget-mode is of no use without --budget/],
    [
      'keys create --name a --budget 1/day --budget-mode mild',
      /--budget-mode: found "mild", expected one of hard, soft/,
    ],
    ['keys create --name a --expires tomorrow', /--expires: found "tomorrow", expected a date/],
    ['keys create --name a --expires 2027-02-30', /--expires: found "2027-02-30", expected a date/],
    ['keys create --name a --queue long', /--queue: found "long", expected/],
    ['keys create --name a --models a,,b', /--models: found "a,,b"/],
    ['keys create --name a --models all,b', /or all by itself/],
    ['keys create --name a extra', /keys create takes no "extra"/],
    ['keys show', /keys show needs the id or name of a key/],
    ['keys show a b', /takes one argument, the id or name of a key, and found 2/],
    ['keys update a', /nothing to change: name at least one option/],
    ['keys rotate a', /--overlap is missing/],
    ['keys rotate a --overlap soon', /--overlap: found "soon", expected a time such as 90s/],
    ['usage generation', /needs the id of a generation/],
  ];
  for (const [args, words] of wrong) {
    test(`in the command itself: headgate ${args}`, async () => {
      const attempt = async () => {
        const command = readCommand(args.split(' ').filter((word) => word !== ''));
        await command.run(connectTo({ url: bench.url, token: TOKEN }), { out: () => {}, say: () => {}, json: false });
      };
      await assert.rejects(attempt, (error: Error) => error instanceof WrongCommand && words.test(error.message));
      assert.deepEqual(await store.list(), []);
    });
  }

  test('in the command itself: exit code 2', async () => {
    const { code, stdout, stderr } = await headgate('keys', 'create', '--nam', 'a');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^headgate: keys create: Unknown option.*\nheadgate --help shows all commands\n$/);
  });

  test('in the environment', async () => {
    const list = ['keys', 'list'];
    const noToken = await runWith({ HEADGATE_ADMIN_URL: bench.url }, list);
    assert.equal(noToken.code, 2);
    assert.match(noToken.stderr, /HEADGATE_ADMIN_TOKEN is not set/);
    const noUrl = await runWith({ HEADGATE_ADMIN_URL: 'localhost:1', HEADGATE_ADMIN_TOKEN: TOKEN }, list);
    assert.equal(noUrl.code, 2);
    assert.match(noUrl.stderr, /HEADGATE_ADMIN_URL: found "localhost:1", expected a URL such as/);
  });

  test('at the other end: exit code 1, with the way out', async () => {
    const list = ['keys', 'list'];
    const badToken = await runWith({ HEADGATE_ADMIN_URL: bench.url, HEADGATE_ADMIN_TOKEN: `${TOKEN}x` }, list);
    assert.equal(badToken.code, 1);
    assert.equal(
      badToken.stderr,
      'headgate: the admin API does not take this token: set HEADGATE_ADMIN_TOKEN to the one that control runs with\n',
    );
    const nobody = await runWith({ HEADGATE_ADMIN_URL: 'http://127.0.0.1:1', HEADGATE_ADMIN_TOKEN: TOKEN }, list);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /nothing answers at http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED.*HEADGATE_ADMIN_URL/);
    const other = createServer((_, response) => response.writeHead(404).end('not here'));
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    const { port } = other.address() as AddressInfo;
    const stranger = await runWith(
      { HEADGATE_ADMIN_URL: `http://127.0.0.1:${port}`, HEADGATE_ADMIN_TOKEN: TOKEN },
      list,
    );
    other.close();
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr, /is no admin API, or one of another version/);

    await succeed('keys', 'create', '--name', 'a');
    const taken = await headgate('keys', 'create', '--name', 'a');
    assert.deepEqual([taken.code, taken.stdout], [1, '']);
    assert.match(taken.stderr, /another key is called "a"/);
    const missing = await headgate('keys', 'show', 'b');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no key has the id or the name "b": headgate keys list/);
    assert.ok(!`${badToken.stderr}${nobody.stderr}${taken.stderr}`.includes(TOKEN));
  });
});

test('--help shows every command, exit code 0', async () => {
  const { code, stdout } = await headgate('keys', '--help');
  assert.equal(code, 0);
  for (const word of ['keys rotate', 'usage generation', 'budgets', 'HEADGATE_ADMIN_TOKEN'])
    assert.ok(stdout.includes(word));
});

test('beside a gateway of this checkout neither URL nor token is needed, and neither goes astray', async () => {
  const file = join(directory, 'admin.json');
  writeFileSync(file, JSON.stringify({ url: bench.url, token: TOKEN }), { mode: 0o600 });
  try {
    assert.equal((await runWith({}, ['keys', 'list'])).code, 0);
    const elsewhere = await runWith({ HEADGATE_ADMIN_URL: 'http://127.0.0.1:1' }, ['keys', 'list']);
    assert.match(
      elsewhere.stderr,
      /HEADGATE_ADMIN_TOKEN is not set/,
      'a URL of its own does not get the token of another',
    );
  } finally {
    rmSync(file);
  }
});
