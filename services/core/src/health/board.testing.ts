import type { BreakerPolicy } from '../catalog/index.ts';
import { type AttemptOutcome, HealthBoard, type HealthBoardOptions } from './index.ts';

export const POLICY: BreakerPolicy = {
  consecutiveFailures: 3,
  failureRatio: 0.5,
  minimumRequests: 20,
  windowMs: 30_000,
  cooldownMs: 50,
  maxCooldownMs: 200,
};

/** Where nothing is to come by polling or by the clock. */
export const NEVER_MS = 3_600_000;

/** Boards of one test, and the lines they logged. */
export class Boards {
  readonly lines: string[] = [];
  readonly #boards: HealthBoard[] = [];
  readonly #given: Pick<HealthBoardOptions, 'redisUrl'> & Partial<HealthBoardOptions>;

  constructor(given: Pick<HealthBoardOptions, 'redisUrl'> & Partial<HealthBoardOptions>) {
    this.#given = given;
  }

  /** Started. */
  async add(given: Partial<HealthBoardOptions> = {}): Promise<HealthBoard> {
    const say = (message: string, fields: Record<string, unknown> = {}) => {
      this.lines.push(`${message} ${JSON.stringify(fields)}`);
    };
    const log = { info: say, warn: say, error: say };
    const board = new HealthBoard({ prefix: 't', log, policy: () => POLICY, ...this.#given, ...given });
    this.#boards.push(board);
    await board.start();
    return board;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#boards.splice(0).map((board) => board.stop()));
  }
}

/** An attempt that begins and ends now; without more, it is one that was overloaded. */
export function attempt(board: HealthBoard, endpointKey: string, given: Partial<AttemptOutcome> = {}): void {
  board.began(endpointKey);
  board.ended({
    endpointKey,
    provider: endpointKey.slice(0, endpointKey.indexOf(':')),
    failure: 'overloaded',
    retryAfterMs: undefined,
    status: null,
    startedAt: performance.now(),
    ttftMs: null,
    tokensPerSecond: null,
    ...given,
  });
}

export const answered = (board: HealthBoard, endpointKey: string, given: Partial<AttemptOutcome> = {}): void =>
  attempt(board, endpointKey, { failure: null, status: 200, ...given });

export function outage(board: HealthBoard, endpointKey: string): void {
  for (let times = 0; times < POLICY.consecutiveFailures; times++) attempt(board, endpointKey);
}

export const breakerOf = (board: HealthBoard, endpointKey: string) => board.view().of(endpointKey)?.breaker ?? 'closed';

/** Resolves when it is so; asked after every change that the board tells of. */
export function until(board: HealthBoard, isSo: () => boolean): Promise<void> {
  if (isSo()) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = board.onChange(() => {
      if (!isSo()) return;
      stop();
      resolve();
    });
  });
}

/** For what no board tells of, such as the passing of time. */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 2));
}
