import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadUws } from './uws.ts';

const FIRST = 'uWebSockets.js';
const SECOND = '@uwsjs/linux-x64-22';

/** What `require` finds on a machine: a module, or an error. */
const machine =
  (packages: Record<string, unknown>, asked: string[] = []) =>
  (name: string): unknown => {
    asked.push(name);
    const found = packages[name];
    if (found instanceof Error) throw found;
    if (found === undefined)
      throw Object.assign(new Error(`Cannot find module '${name}'\nRequire stack: x`), { code: 'MODULE_NOT_FOUND' });
    return found;
  };

function binding(): { module: object; configured: string[] } {
  const configured: string[] = [];
  const module = {
    App: () => undefined,
    us_listen_socket_close: () => undefined,
    us_socket_local_port: () => 0,
    _cfg: (option: string) => void configured.push(option),
  };
  return { module, configured };
}

describe('loadUws', () => {
  it('takes the first package where it loads, and keeps it from naming itself', () => {
    const { module, configured } = binding();
    const asked: string[] = [];
    const loaded = loadUws(machine({ [FIRST]: module, [SECOND]: binding().module }, asked));
    assert.equal(loaded.binding, FIRST);
    assert.equal(loaded.uws, module);
    assert.deepEqual([asked, configured], [[FIRST], ['silent']]);
  });

  it('takes the second where the first needs a newer C library', () => {
    const { module } = binding();
    const glibc = new Error("/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by uws.node)");
    for (const first of [glibc, undefined, { default: {} }]) {
      const loaded = loadUws(machine({ [FIRST]: first, [SECOND]: module }));
      assert.deepEqual([loaded.binding, loaded.uws], [SECOND, module]);
    }
  });

  it('says what is wrong and what to do when neither loads', () => {
    const glibc = new Error("libc.so.6: version `GLIBC_2.38' not found (required by uws.node)");
    assert.throws(
      () => loadUws(machine({ [FIRST]: glibc })),
      ({ message }: Error) => {
        assert.match(
          message,
          new RegExp(`does not load with Node ${process.versions.node} on ${process.platform}-${process.arch}`),
        );
        assert.match(message, /uWebSockets\.js: needs GLIBC_2\.38, which this system's C library lacks/);
        assert.match(message, /@uwsjs\/linux-x64-22: not installed/);
        assert.match(message, /Use Node 20 to 25 .*Debian 13.* or Node 22/);
        assert.match(message, /npm start.*npm ci/);
        assert.doesNotMatch(message, /Require stack/);
        return true;
      },
    );
    assert.throws(() => loadUws(machine({ [FIRST]: {}, [SECOND]: null })), /not a uWebSockets\.js module/);
  });

  it('loads on this machine', () => {
    const { uws, binding: name } = loadUws();
    assert.ok(name === FIRST || name === SECOND);
    assert.equal(typeof uws.App, 'function');
  });
});
