import type { Steered } from '../faults/steering.ts';
import type { Exchange } from '../http/exchange.ts';

/** One provider language. The server has read the body and found the directives before `answer` is called. */
export interface Dialect {
  readonly name: string;
  /** Whether a request to this path speaks this dialect; where two share a path, the body may decide. */
  serves(path: string, body: unknown): boolean;
  /** What may hold directives, from a body that may be anything. */
  steered(path: string, body: unknown): Steered;
  /** Answers, or refuses, in the dialect's own shapes. `json` is undefined when the body was not JSON. */
  answer(exchange: Exchange, json: unknown): Promise<void>;
  /** A 400 of the simulator itself, such as for an unknown directive. */
  reject(exchange: Exchange, message: string): Promise<void>;
}
