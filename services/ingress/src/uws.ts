import type * as Uws from 'uWebSockets.js';
import { createRequire } from 'node:module';

/** The part of uWebSockets.js that the ingress uses; both packages have it. */
export type UwsModule = Pick<typeof Uws, 'App' | 'us_listen_socket_close' | 'us_socket_local_port'>;

export interface LoadedUws {
  readonly uws: UwsModule;
  /** The package that was taken. */
  readonly binding: string;
}

/**
 * In order of preference (DESIGN 11): the first has every platform and Node 20 to 25 but needs glibc 2.38, the second is
 * for Node 22 on an older glibc such as Debian 12's.
 */
const PACKAGES = ['uWebSockets.js', '@uwsjs/linux-x64-22'] as const;

/** Takes the first package whose native binding loads on this machine; throws an Error that says what to do when none does. */
export function loadUws(load: (name: string) => unknown = createRequire(import.meta.url)): LoadedUws {
  const failures: string[] = [];
  for (const name of PACKAGES) {
    try {
      const uws = load(name);
      if (isUws(uws)) {
        silence(uws);
        return { uws, binding: name };
      }
      failures.push(`${name}: not a uWebSockets.js module`);
    } catch (error) {
      failures.push(`${name}: ${reason(error)}`);
    }
  }
  throw new Error(
    [
      `uWebSockets.js does not load with Node ${process.versions.node} on ${process.platform}-${process.arch}.`,
      ...failures.map((failure) => `  ${failure}`),
      'Use Node 20 to 25 on a system with glibc 2.38 or newer (Debian 13, Ubuntu 24.04), or Node 22 on Linux x64 with an older glibc;',
      'Alpine (musl) is not supported. `npm start` brings the right Node along; after a change of Node run `npm ci` with it.',
    ].join('\n'),
  );
}

function isUws(value: unknown): value is UwsModule {
  return (
    typeof value === 'object' &&
    value !== null &&
    'App' in value &&
    typeof value.App === 'function' &&
    'us_listen_socket_close' in value
  );
}

/** Keeps uWebSockets.js from naming itself and its version in a header of every response. */
function silence(uws: object): void {
  if ('_cfg' in uws && typeof uws._cfg === 'function') uws._cfg('silent');
}

function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const glibc = /version `(GLIBC_[\d.]+)' not found/.exec(message)?.[1];
  if (glibc) return `needs ${glibc}, which this system's C library lacks`;
  if (message.includes('Cannot find')) return 'not installed';
  return message.split('\n')[0] ?? message;
}
