import { execFileSync } from 'node:child_process';
import type { Endpoint } from '../load/request.ts';
import type { Children } from './children.ts';

/** What every target is started with. */
export interface Bench {
  readonly children: Children;
  /** The core of the server under test. */
  readonly gatewayCore: number;
  /** The core of the mock, the load generator and whatever else the target needs. */
  readonly loadCore: number;
  readonly mockPort: number;
  /** Scratch of this run; removed at its end. */
  readonly scratch: string;
  /** Kept between runs, git-ignored: peers from npm, logs, the last result. */
  readonly state: string;
}

/** A server that is running and ready. */
export interface Instance {
  readonly endpoint: Endpoint;
  /** Commands that the target's Redis has processed so far; absent for a target without one. */
  readonly redisCommands?: () => Promise<number>;
  stop(): Promise<void>;
}

/** A server that can be measured. */
export interface Target {
  readonly name: string;
  readonly version: string;
  /** One more instance on a port of its own. */
  start(): Promise<Instance>;
  /** Ends what the instances share, and says what is worth a note in the report. */
  close?(): Promise<readonly string[]>;
}

/** A target is not there because of what the machine has; the text says what to do about it. */
export class Unavailable extends Error {}

/** First line that `command` prints about its version; undefined when it is not on the PATH. */
export function versionOf(command: string, args: readonly string[]): string | undefined {
  try {
    // nginx prints its version on stderr.
    const out = execFileSync('sh', ['-c', 'exec "$0" "$@" 2>&1', command, ...args], { encoding: 'utf8' });
    return out.split('\n')[0];
  } catch {
    return undefined;
  }
}
