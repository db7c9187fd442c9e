import type { AnswerMetadata, StreamDecoder, Transcript } from '../dialects/index.ts';
import { type GatewayError, toGatewayError } from '../errors/index.ts';
import type { AttemptOutput } from './attempt-output.ts';
import type { RealignmentOptions } from './choice-realignment.ts';
import { shorterAnswer } from './failures.ts';
import { FrameBuffer } from './frame-buffer.ts';
import { Realignment } from './realignment.ts';

const closing = new FrameBuffer(8 * 1024);

/** A stream that goes on where another broke: only what the client lacks gets through. */
export class ContinuedOutput implements AttemptOutput {
  readonly decoder: StreamDecoder;
  readonly transcript: Transcript;
  readonly #realignment: Realignment;
  #flowing = false;
  /** Cut already, not yet sent. */
  #last = '';

  constructor(decoder: StreamDecoder, transcript: Transcript, options: RealignmentOptions) {
    this.decoder = decoder;
    this.transcript = transcript;
    this.#realignment = new Realignment(transcript, options);
  }

  get flowing(): boolean {
    return this.#flowing;
  }

  take(frames: FrameBuffer): Buffer | null {
    // What is only repeated shows as well that the provider speaks.
    this.#flowing = this.decoder.progress.hasContent;
    const text = this.#realignment.pass(frames.view().toString('utf8'));
    this.#realignment.commit();
    return text === '' ? null : Buffer.from(text);
  }

  fault(frames: FrameBuffer): GatewayError | null {
    try {
      this.#last = this.#realignment.pass(frames.view().toString('utf8'));
    } catch (thrown) {
      return toGatewayError(thrown);
    }
    const { finishReasons } = this.decoder.progress;
    const endsWell = this.#realignment.covered && !finishReasons.some((reason) => this.#realignment.stopsShort(reason));
    return endsWell ? null : shorterAnswer();
  }

  end(metadata: AnswerMetadata): Buffer {
    closing.reset();
    this.decoder.finish(metadata, closing);
    return Buffer.from(this.#last + this.#realignment.pass(closing.view().toString('utf8')));
  }
}
