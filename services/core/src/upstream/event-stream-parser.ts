import { EventStreamCodec } from '@smithy/eventstream-codec';
import type { SseHandler } from './sse-parser.ts';

/** Length of the prelude's first field; a frame begins with its own total length, big-endian. */
const LENGTH_BYTES = 4;
/** AWS allows 24 MiB a message. */
const MAX_FRAME_BYTES = 32 * 1024 * 1024;

const decodeUtf8 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
const codec = new EventStreamCodec(decodeUtf8, (text) => Buffer.from(text, 'utf8'));

/**
 * AWS event stream frames (application/vnd.amazon.eventstream) from bytes cut anywhere. An event's name is its
 * `:event-type`; an exception's is `exception/<type>`, an error's `error/<code>`. Throws when a frame's checksum is wrong or
 * it is too large.
 */
export class EventStreamParser {
  readonly #handler: SseHandler;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(handler: SseHandler) {
    this.#handler = handler;
  }

  feed(chunk: Buffer): void {
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#wanted()) return;
    let bytes = this.#pending.length === 1 ? chunk : Buffer.concat(this.#pending);
    while (bytes.length >= LENGTH_BYTES) {
      const length = frameLength(bytes);
      if (bytes.length < length) break;
      this.#frame(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
    }
    this.#pending = bytes.length > 0 ? [bytes] : [];
    this.#pendingBytes = bytes.length;
  }

  /** How many bytes must be there before a frame can be complete; saves joining a large frame's pieces again and again. */
  #wanted(): number {
    const [first] = this.#pending;
    return first && first.length >= LENGTH_BYTES ? frameLength(first) : LENGTH_BYTES;
  }

  #frame(bytes: Buffer): void {
    const { headers, body } = codec.decode(bytes);
    const header = (name: string): string => {
      const value = headers[name]?.value;
      return typeof value === 'string' ? value : '';
    };
    const data = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    switch (header(':message-type')) {
      case 'exception':
        this.#handler.onEvent(data, `exception/${header(':exception-type')}`);
        break;
      case 'error':
        this.#handler.onEvent(
          Buffer.from(JSON.stringify({ message: header(':error-message') })),
          `error/${header(':error-code')}`,
        );
        break;
      default:
        this.#handler.onEvent(data, header(':event-type'));
    }
  }
}

function frameLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  if (length < 16 || length > MAX_FRAME_BYTES) throw new RangeError(`an event stream frame of ${length} bytes`);
  return length;
}
