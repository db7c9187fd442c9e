import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { checkoutAt } from './checkout.mjs';
import { covers, install, stampCovers } from './install.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate install '));
after(() => rmSync(folder, { recursive: true }));

const linux = { platform: 'linux', arch: 'x64' };
const locked = {
  '': { version: '0.1.0' },
  'services/core': { version: '0.1.0' },
  'node_modules/@headgate/core': { link: true },
  'node_modules/zod': { version: '4.0.0', integrity: 'sha512-z' },
  'node_modules/typescript': { version: '7.0.0', integrity: 'sha512-t', dev: true },
  'node_modules/binding-linux': {
    version: '1.0.0',
    integrity: 'sha512-l',
    optional: true,
    os: ['linux'],
    cpu: ['x64'],
  },
  'node_modules/binding-mac': { version: '1.0.0', integrity: 'sha512-m', optional: true, os: ['darwin'] },
  'node_modules/binding-musl': {
    version: '1.0.0',
    integrity: 'sha512-u',
    optional: true,
    os: ['linux'],
    libc: ['musl'],
  },
};

/** @param {...string} without */
function installed(...without) {
  return Object.fromEntries(
    Object.entries(locked).filter(([where]) => where.startsWith('node_modules/') && !without.includes(where)),
  );
}
const elsewhere = ['node_modules/binding-mac', 'node_modules/binding-musl'];

test('an install that has what this machine needs is left alone', () => {
  assert.equal(covers(locked, installed(...elsewhere), 'full', linux), true);
  assert.equal(covers(locked, installed(...elsewhere), 'production', linux), true);
});

test('without development packages it does for running and not for testing', () => {
  const production = installed(...elsewhere, 'node_modules/typescript');
  assert.equal(covers(locked, production, 'production', linux), true);
  assert.equal(covers(locked, production, 'full', linux), false);
});

test('a missing package, another version, other content or no install at all does not do', () => {
  assert.equal(covers(locked, installed(...elsewhere, 'node_modules/zod'), 'production', linux), false);
  assert.equal(covers(locked, installed(...elsewhere, 'node_modules/binding-linux'), 'production', linux), false);
  for (const change of [{ version: '4.0.1' }, { integrity: 'sha512-other' }]) {
    const other = installed(...elsewhere);
    other['node_modules/zod'] = { ...locked['node_modules/zod'], ...change };
    assert.equal(covers(locked, other, 'production', linux), false);
  }
  assert.equal(covers(locked, undefined, 'production', linux), false);
});

test('a stamp counts for the same lock, the same node_modules, the same node and no larger scope', () => {
  const now = { lock: 'a', installed: 'b', node: 'v22.23.2' };
  assert.equal(stampCovers({ ...now, scope: 'full' }, now, 'production'), true);
  assert.equal(stampCovers({ ...now, scope: 'production' }, now, 'production'), true);
  assert.equal(stampCovers({ ...now, scope: 'production' }, now, 'full'), false);
  for (const change of [{ lock: 'x' }, { installed: 'x' }, { node: 'v22.24.0' }]) {
    assert.equal(stampCovers({ ...now, scope: 'full' }, { ...now, ...change }, 'full'), false);
  }
  assert.equal(
    stampCovers(
      { lock: 'a', installed: undefined, node: '', scope: 'full' },
      { ...now, installed: undefined, node: '' },
      'full',
    ),
    false,
  );
  assert.equal(stampCovers(undefined, now, 'full'), false);
});

test('npm runs once, with the given node, and a failure shows the end of what it printed', async () => {
  const checkout = checkoutAt(path.join(folder, 'checkout'));
  mkdirSync(checkout.root);
  // The optional package is for this machine, and npm leaves it out all the same: only the stamp can say "done".
  const lockedHere = { 'node_modules/x': { version: '1.0.0' }, 'node_modules/y': { version: '1.0.0', optional: true } };
  writeFileSync(path.join(checkout.root, 'package-lock.json'), JSON.stringify({ packages: lockedHere }));
  const npm = path.join(folder, 'npm-cli.js');
  writeFileSync(
    npm,
    `const fs = require('node:fs');
     fs.appendFileSync('calls.txt', process.argv.slice(2).join(' ') + '\\n');
     fs.mkdirSync('node_modules', { recursive: true });
     fs.writeFileSync('node_modules/.package-lock.json', '{"packages":{"node_modules/x":{"version":"1.0.0"}}}');
     if (fs.existsSync('broken')) { console.error('npm error the reason'); process.exit(3); }`,
  );
  const node = process.execPath;
  const call = { checkout, node, npm, env: process.env, say: () => {} };
  const calls = () => readFileSync(path.join(checkout.root, 'calls.txt'), 'utf8').trim().split('\n');

  await install({ ...call, scope: 'production' });
  await install({ ...call, scope: 'production' });
  assert.equal(calls().length, 1);
  assert.match(calls()[0] ?? '', /^ci .*--include=optional --omit=dev$/);

  await install({ ...call, scope: 'full' });
  await install({ ...call, scope: 'production' });
  assert.equal(calls().length, 2);
  assert.match(
    calls()[1] ?? '',
    /^install --no-save .*--include=dev$/,
    'adds, for a gateway may run from node_modules',
  );

  writeFileSync(path.join(checkout.root, 'package-lock.json'), JSON.stringify({ packages: { 'node_modules/z': {} } }));
  writeFileSync(path.join(checkout.root, 'broken'), '');
  await assert.rejects(install({ ...call, scope: 'full' }), /npm ci failed \(exit code 3\):\n {4}npm error the reason/);
});
