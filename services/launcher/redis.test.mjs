import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { checkoutAt } from './checkout.mjs';
import { aptConfig, librariesIn } from './debian-redis.mjs';
import { chooseRedis, provideRedis } from './redis.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'headgate redis '));
after(() => rmSync(folder, { recursive: true }));

/** @param {string} file @param {string} [script] */
function program(file, script = 'exit 0') {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

test('a server on the PATH comes before one fetched earlier, and that before fetching', () => {
  const checkout = checkoutAt(path.join(folder, 'a'));
  const bin = path.join(folder, 'bin');
  const env = { PATH: `/nowhere:${bin}` };
  assert.equal(chooseRedis(checkout, env).use, 'none');

  program(path.join(bin, 'apt-get'));
  assert.equal(chooseRedis(checkout, env).use, 'none');
  program(path.join(bin, 'dpkg-deb'));
  assert.deepEqual(chooseRedis(checkout, env), { use: 'unpack' });

  const unpacked = program(path.join(checkout.redis, 'usr', 'bin', 'redis-server'));
  const libraries = path.join(checkout.redis, 'usr', 'lib', 'x86_64-linux-gnu');
  mkdirSync(libraries, { recursive: true });
  assert.deepEqual(chooseRedis(checkout, env), { use: 'program', program: { path: unpacked, libraryPath: libraries } });

  const valkey = program(path.join(bin, 'valkey-server'));
  assert.deepEqual(chooseRedis(checkout, env), { use: 'program', program: { path: valkey, libraryPath: '' } });
  const redis = program(path.join(bin, 'redis-server'));
  assert.deepEqual(chooseRedis(checkout, env), { use: 'program', program: { path: redis, libraryPath: '' } });
});

test('where there is no way to a server, what to install is said', async () => {
  const setting = { checkout: checkoutAt(path.join(folder, 'b')), env: { PATH: '/nowhere' }, say: () => {} };
  await assert.rejects(provideRedis(setting), /needs a Redis server. Install one \(.*\), or point REDIS_URL at/);
});

test('packages are unpacked into the checkout, with their libraries and with nothing left over', async () => {
  const bin = path.join(folder, 'tools');
  program(
    path.join(bin, 'apt-get'),
    `echo "$*" >> "${folder}/apt.txt"
     case "$*" in
       *--simulate*) printf 'Inst libc6 (2.36)\\nInst libjemalloc2 (5.3 Debian [amd64])\\nInst redis-tools (7.0)\\n' ;;
       *download*) for p in redis-server redis-tools libjemalloc2; do echo x > $p.deb; done ;;
     esac`,
  );
  program(
    path.join(bin, 'dpkg-deb'),
    `/bin/mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"
     printf '#!/bin/sh\\necho "$LD_LIBRARY_PATH" > "${folder}/libraries.txt"\\n' > "$3/usr/bin/redis-server"
     /bin/chmod 755 "$3/usr/bin/redis-server"`,
  );
  const checkout = checkoutAt(path.join(folder, 'c'));
  const found = await provideRedis({ checkout, env: { PATH: bin }, say: () => {} });
  assert.deepEqual(found, {
    path: path.join(checkout.root, '.headgate/redis/usr/bin/redis-server'),
    libraryPath: path.join(checkout.root, '.headgate/redis/usr/lib/x86_64-linux-gnu'),
  });
  assert.deepEqual(readdirSync(checkout.tools), ['redis']);
  assert.match(readFileSync(path.join(folder, 'apt.txt'), 'utf8'), /download redis-server redis-tools libjemalloc2\n$/);
  assert.match(readFileSync(path.join(folder, 'libraries.txt'), 'utf8'), /redis\.new\/usr\/lib\/x86_64-linux-gnu/);
});

test('a failing apt-get is shown with its reason and the other ways', async () => {
  const bin = path.join(folder, 'failing');
  program(path.join(bin, 'dpkg-deb'));
  program(path.join(bin, 'apt-get'), 'echo "E: no network" >&2; exit 100');
  const setting = { checkout: checkoutAt(path.join(folder, 'd')), env: { PATH: bin }, say: () => {} };
  await assert.rejects(provideRedis(setting), /update failed:\n {4}E: no network\nHeadgate needs a Redis server/);
});

test('of apt’s plan the libraries are taken, without the C library and the accounts’ tools', () => {
  const plan =
    'Inst gcc-12-base (1)\nInst libc6 (2)\nInst libssl3 (3 [amd64]) []\nInst libpam0g (1)\nInst passwd (1)\nConf libzstd1 (1)\nInst liblzf1 (3)\n';
  assert.deepEqual(librariesIn(plan), ['libssl3', 'liblzf1']);
});

test('apt’s own folders may have spaces in their path, and it runs none of the system’s hooks', () => {
  const config = aptConfig('/tmp/a b');
  assert.match(config, /^Dir::State "\/tmp\/a b\/state";$/m);
  assert.match(config, /^#clear APT::Update::Post-Invoke;$/m);
  assert.match(config, /AllowUnauthenticated "false"/);
});
