export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Access {
  readonly tls: boolean;
  readonly username: string | null;
  readonly password: string | null;
}

export type RedisTarget = Access &
  (
    | { readonly kind: 'single'; readonly nodes: readonly [RedisNode]; readonly db: number }
    | {
        readonly kind: 'sentinel';
        readonly nodes: readonly RedisNode[];
        readonly masterName: string;
        readonly db: number;
      }
    | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] }
  );

const FORM = /^(rediss?)(\+sentinel|\+cluster)?:\/\/(?:([^@/]*)@)?([^@/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;
const DEFAULT_PORT = { single: 6379, cluster: 6379, sentinel: 26379 };

/**
 * - `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS
 * - `redis+sentinel://[user:password@]host:port,host:port/master-name[?db=0]`
 * - `redis+cluster://[user:password@]host:port,host:port`
 *
 * Throws an Error that does not repeat the URL: it may hold a password.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = FORM.exec(url);
  const hosts = match?.[4];
  if (match === null || hosts === undefined) {
    throw new Error('not a Redis URL; expected redis://host:port, rediss://, redis+sentinel:// or redis+cluster://');
  }
  const [username, password] = readUserInfo(match[3]);
  const access: Access = { tls: match[1] === 'rediss', username, password };
  const path = decodeURIComponent(match[5] ?? '');
  const query = new URLSearchParams(match[6] ?? '');
  switch (match[2]) {
    case '+sentinel':
      if (path === '') throw new Error('a redis+sentinel URL needs the name of the master as its path: /mymaster');
      return {
        ...access,
        kind: 'sentinel',
        nodes: hosts.split(',').map((host) => readNode(host, DEFAULT_PORT.sentinel)),
        masterName: path,
        db: readDb(query.get('db') ?? ''),
      };
    case '+cluster':
      return {
        ...access,
        kind: 'cluster',
        nodes: hosts.split(',').map((host) => readNode(host, DEFAULT_PORT.cluster)),
      };
    default:
      return {
        ...access,
        kind: 'single',
        nodes: [readNode(hosts, DEFAULT_PORT.single)],
        db: readDb(query.get('db') ?? path),
      };
  }
}

function readUserInfo(userInfo: string | undefined): [string | null, string | null] {
  if (userInfo === undefined || userInfo === '') return [null, null];
  const colon = userInfo.indexOf(':');
  const part = (text: string) => (text === '' ? null : decodeURIComponent(text));
  return colon < 0 ? [part(userInfo), null] : [part(userInfo.slice(0, colon)), part(userInfo.slice(colon + 1))];
}

function readNode(text: string, defaultPort: number): RedisNode {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1]?.replace(/^\[|\]$/g, '');
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (host === undefined || port > 65535) throw new Error('a Redis URL has a host that is not host or host:port');
  return { host, port };
}

function readDb(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw new Error('the database in a Redis URL is not a number');
  return Number(text);
}
