import type { RedisClient } from '@headgate/core/redis';

/** A short break of the connection is waited out. */
const AWAY_MS = 2_000;
const LOOK_MS = 100;

/**
 * Whether workers have closed within `withinMs`. Without Redis they never do, and what they hold cannot be handed back: then
 * the wait is over, too, and what was theirs goes to others when their locks expire.
 */
export function closedWithin(
  withinMs: number,
  closed: Promise<unknown>,
  connection: Pick<RedisClient, 'status'>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const began = performance.now();
    let wellAt = began;
    const done = (inTime: boolean): void => {
      clearInterval(timer);
      resolve(inTime);
    };
    const timer = setInterval(() => {
      const now = performance.now();
      if (connection.status === 'ready') wellAt = now;
      if (now - began > withinMs || now - wellAt > AWAY_MS) done(false);
    }, LOOK_MS);
    closed.then(
      () => done(true),
      () => done(true),
    );
  });
}
