/**
 * The clock of Redis as this process knows it, epoch milliseconds. Runs on by the monotonic clock, so that a local clock
 * that jumps moves nothing; before Redis was heard it is the local clock.
 */
export class RedisClock {
  #offset = performance.timeOrigin;

  now(): number {
    return performance.now() + this.#offset;
  }

  /** Redis said `time` (whole milliseconds) somewhere between two moments of `performance.now()`. */
  heard(time: number, sentAt: number, receivedAt: number): void {
    const atLeast = time - receivedAt;
    const atMost = time + 1 - sentAt;
    this.#offset = Math.min(Math.max(this.#offset, atLeast), atMost);
  }
}
