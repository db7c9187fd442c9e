import type { AnswerMetadata, StreamDecoder, Transcript } from '../dialects/index.ts';
import type { GatewayError } from '../errors/index.ts';
import { FrameBuffer } from './frame-buffer.ts';

/**
 * Where the frames of one streaming attempt go. Frames come in a buffer that all streams share: what is returned is a view
 * that has to be sent at once, what is kept is a copy.
 */
export interface AttemptOutput {
  /** What the client has been told, as far as it is written down. */
  readonly transcript: Transcript | null;
  /** Takes the provider's events. */
  readonly decoder: StreamDecoder;
  /** Content of this attempt has come; what `take` returned of it has gone to the client, and can no longer be taken back. */
  readonly flowing: boolean;
  /** The client wants a whole answer, so that one may also come in place of the stream. */
  readonly whole?: true;
  /** Frames of one upstream read; returns what is to be sent now, null while all of it is held back. */
  take(frames: FrameBuffer): Buffer | null;
  /** The stream has come to its end, which is no good end for this answer: why. Takes the last frames where it has to. */
  fault?(frames: FrameBuffer): GatewayError | null;
  /** The stream is complete; `frames` holds what has not been taken yet. Returns all that is left, with the frames that end it. */
  end(metadata: AnswerMetadata, frames: FrameBuffer): Buffer;
}

const closing = new FrameBuffer(8 * 1024);

/** Holds everything back until the first content, so that a failure before it leaves no trace. */
export class HeldOutput implements AttemptOutput {
  readonly decoder: StreamDecoder;
  readonly transcript: Transcript | null;
  #flowing = false;
  #held: Buffer | null = null;

  constructor(decoder: StreamDecoder, transcript: Transcript | null) {
    this.decoder = decoder;
    this.transcript = transcript;
  }

  get flowing(): boolean {
    return this.#flowing;
  }

  take(frames: FrameBuffer): Buffer | null {
    if (this.#flowing) return frames.view();
    const bytes = this.#held === null ? frames.view() : Buffer.concat([this.#held, frames.view()]);
    if (this.decoder.progress.hasContent) {
      this.#flowing = true;
      this.#held = null;
      return bytes;
    }
    this.#held = this.#held === null ? Buffer.from(bytes) : bytes;
    return null;
  }

  end(metadata: AnswerMetadata, frames: FrameBuffer): Buffer {
    closing.reset();
    if (this.#held !== null) closing.bytes(this.#held);
    closing.bytes(frames.view());
    this.decoder.finish(metadata, closing);
    return closing.view();
  }
}
