import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRedisUrl } from './url.ts';

const plain = { tls: false, username: null, password: null };

describe('parseRedisUrl', () => {
  test('a single server', () => {
    assert.deepEqual(parseRedisUrl('redis://h'), {
      ...plain,
      kind: 'single',
      nodes: [{ host: 'h', port: 6379 }],
      db: 0,
    });
    assert.deepEqual(parseRedisUrl('rediss://u:p%40ss@h:1/3'), {
      tls: true,
      username: 'u',
      password: 'p@ss',
      kind: 'single',
      nodes: [{ host: 'h', port: 1 }],
      db: 3,
    });
    assert.deepEqual(parseRedisUrl('redis://:secret@[::1]:7'), {
      ...plain,
      password: 'secret',
      kind: 'single',
      nodes: [{ host: '::1', port: 7 }],
      db: 0,
    });
  });

  test('Sentinel', () => {
    assert.deepEqual(parseRedisUrl('redis+sentinel://:p@a:1,b/mymaster?db=2'), {
      ...plain,
      password: 'p',
      kind: 'sentinel',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
      masterName: 'mymaster',
      db: 2,
    });
  });

  test('Cluster, with TLS', () => {
    assert.deepEqual(parseRedisUrl('rediss+cluster://a:1,b:2'), {
      ...plain,
      tls: true,
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    });
  });

  test('a mistake is told without repeating the URL, which may hold a password', () => {
    for (const url of [
      'http://u:LEAK@h',
      'redis://u:LEAK@h/x',
      'redis+sentinel://u:LEAK@h',
      'redis://u:LEAK@h:99999',
    ]) {
      assert.throws(
        () => parseRedisUrl(url),
        (error: Error) => !error.message.includes('LEAK') && error.message.length > 20,
        url,
      );
    }
  });
});
