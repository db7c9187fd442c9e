import type { AnswerMetadata, FrameSink, StreamContext, StreamDecoder, StreamProgress } from '../dialect.ts';
import type { AnswerSink } from './answer-sink.ts';
import { ChunkStream } from './chunk-stream.ts';

/**
 * A provider's events, told to a sink. `tell` throws a GatewayError on a malformed or failing event, and returns true on
 * the provider's own terminal event.
 */
export interface EventTeller {
  tell(data: Buffer, name: string, sink: AnswerSink): boolean;
}

/** The stream decoder of every dialect that translates. */
export class TranslatedStream implements StreamDecoder {
  readonly #teller: EventTeller;
  readonly #chunks: ChunkStream;

  constructor(context: StreamContext, teller: EventTeller) {
    this.#teller = teller;
    this.#chunks = new ChunkStream(context);
  }

  get progress(): StreamProgress {
    return this.#chunks.progress;
  }

  event(data: Buffer, name: string, out: FrameSink): void {
    if (this.#chunks.ended) return;
    this.#chunks.writeTo(out);
    if (this.#teller.tell(data, name, this.#chunks)) this.#chunks.ended = true;
  }

  finish(metadata: AnswerMetadata, out: FrameSink): void {
    this.#chunks.close(metadata, out);
  }
}
