import type { EndpointEntry } from '../catalog/index.ts';
import { asStreamed, type ChatRequest, canBeStreamed } from '../chat/index.ts';
import type { AnswerMetadata, StreamDecoder } from '../dialects/index.ts';
import type { GatewayError } from '../errors/index.ts';
import { Assembly } from './assembly.ts';
import type { AttemptOutput } from './attempt-output.ts';
import { FrameBuffer } from './frame-buffer.ts';

const closing = new FrameBuffer(8 * 1024);

/** Keeps all frames to itself and makes a whole answer of them: until its end nothing has been said, and any break may move on. */
export class AssembledOutput implements AttemptOutput {
  readonly decoder: StreamDecoder;
  readonly transcript = null;
  readonly whole = true;
  readonly #assembly = new Assembly();
  #flowing = false;

  constructor(decoder: StreamDecoder) {
    this.decoder = decoder;
  }

  get flowing(): boolean {
    return this.#flowing;
  }

  take(frames: FrameBuffer): null {
    this.#assembly.add(frames.view());
    this.#flowing = this.decoder.progress.hasContent;
    return null;
  }

  /** The answer as JSON text. */
  end(metadata: AnswerMetadata, frames: FrameBuffer): Buffer {
    this.#assembly.add(frames.view());
    closing.reset();
    this.decoder.finish(metadata, closing);
    this.#assembly.add(closing.view());
    return this.#assembly.body(metadata);
  }
}

/** Endpoints that whole answers are asked of as they are, by the catalog's own objects: known anew with each snapshot. */
const unstreamed = new WeakSet<EndpointEntry>();

/**
 * How a whole answer is asked of an endpoint when its silence has to be noticed: as a stream, whose first token and stalls can be
 * seen, unless that would change the answer or the endpoint is known not to take it.
 */
export function watched(chat: ChatRequest, endpoint: EndpointEntry): ChatRequest {
  return canBeStreamed(chat) && !unstreamed.has(endpoint) ? asStreamed(chat) : chat;
}

/** As a stream, this endpoint's answers are not what they are as a whole (or none at all): its next ones are not asked for so. */
export function askWhole(endpoint: EndpointEntry): void {
  unstreamed.add(endpoint);
}

/** Endpoints whose streams have told what they used. */
const measured = new WeakSet<EndpointEntry>();

/**
 * A stream has come to its end. One that never tells what it used hides it from whole answers made of it; a stream that does not
 * tell, of an endpoint whose others do, is an accident.
 */
export function streamEnded(
  endpoint: EndpointEntry,
  { whole, usageTold }: { whole: boolean; usageTold: boolean },
): void {
  if (usageTold) measured.add(endpoint);
  else if (whole && !measured.has(endpoint)) askWhole(endpoint);
}

/**
 * Whether a provider seems to refuse the stream rather than the request: some models have none, or not together with tools,
 * OpenAI keeps some from accounts that are not verified, and AWS has a permission of its own for streams. Nothing but the
 * provider's words tells, and they may be about something else.
 */
export function refusesStream({ failure, param, message }: GatewayError): boolean {
  if (failure === 'auth') return param === 'stream';
  return failure === 'bad_request' && /\bstream/i.test(`${typeof param === 'string' ? param : ''} ${message}`);
}
