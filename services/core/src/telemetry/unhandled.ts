import type { Logger } from './logger.ts';

/**
 * Logs a rejection that nobody handles instead of ending the process, as Node would: what went wrong is one promise's,
 * and the streams of all the others would break with the process.
 */
export function outliveRejections(log: Logger): void {
  process.on('unhandledRejection', (reason) => {
    log.error('a rejection that nobody handled: please report this', { error: reason });
  });
}
