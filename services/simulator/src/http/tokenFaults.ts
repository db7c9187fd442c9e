import type { BodyWriter } from './bodyWriter.ts';
import type { Exchange } from './exchange.ts';

/** Where in a stream an event stands: before the first token, a token, after the last one. */
export type FramePlace = 'opening' | 'token' | 'closing';

/** What is left of an event after a fault: its text, or the body ends properly, or the connection is gone. */
export type Struck = { readonly text: string | Buffer } | 'end' | 'over';

interface PendingFault {
  readonly at: number;
  readonly strike: (text: string | Buffer) => Promise<Struck>;
}

/** The faults that wait for token N: each strikes once, before token N is sent, or after the last token of a shorter answer. */
export class TokenFaults {
  readonly #exchange: Exchange;
  readonly #pending: PendingFault[] = [];

  constructor(exchange: Exchange, writer: BodyWriter, errorFrame: () => string | Buffer) {
    this.#exchange = exchange;
    const { stall, malformed, cut, tear, reset, partial, 'stream-error': error } = exchange.directives;
    const begin = async (text: string | Buffer) => {
      if (partial) await writer.write(text.slice(0, Math.ceil(text.length / 2)));
    };
    const add = (at: number | undefined, strike: PendingFault['strike']) => {
      if (at !== undefined) this.#pending.push({ at, strike });
    };
    add(stall?.at, (text) => this.#stall(stall?.ms, text));
    add(malformed, async (text) => ({ text: spoiled(text) }));
    add(error, async () => {
      await writer.write(errorFrame());
      return 'end';
    });
    add(cut, async (text) => {
      await begin(text);
      return 'end';
    });
    add(tear, async (text) => {
      await begin(text);
      await writer.tear();
      return 'over';
    });
    add(typeof reset === 'number' ? reset : undefined, async (text) => {
      await begin(text);
      await writer.reset();
      return 'over';
    });
    this.#pending.sort((a, b) => a.at - b.at);
  }

  /** Whether a fault strikes before this event, `tokens` having been sent. */
  due(place: FramePlace, tokens: number): boolean {
    const next = this.#pending[0];
    if (next === undefined || place === 'opening') return false;
    return place === 'closing' || next.at <= tokens;
  }

  async strike(place: FramePlace, tokens: number, frame: string | Buffer): Promise<Struck> {
    let text = frame;
    while (this.due(place, tokens)) {
      const struck = await this.#pending.shift()?.strike(text);
      if (this.#exchange.closed) return 'over';
      if (struck === 'end' || struck === 'over') return struck;
      text = struck?.text ?? text;
    }
    return { text };
  }

  async #stall(ms: number | undefined, text: string | Buffer): Promise<Struck> {
    if (ms === undefined) await this.#exchange.whenClosed;
    else await this.#exchange.sleep(ms);
    return { text };
  }
}

/** What no reader can take: half of an event's data as an event of its own, or a binary frame with a wrong checksum. */
function spoiled(frame: string | Buffer): string | Buffer {
  if (typeof frame === 'string') {
    const line = frame.trimEnd();
    return `${line.slice(0, Math.ceil(line.length / 2))}\n\n`;
  }
  const bytes = Buffer.from(frame);
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) ^ 0xff;
  return bytes;
}
