import { type ChatRequest, withAssistantPrefix } from '../chat/index.ts';
import type { Dialect, StreamDecoder, Transcript } from '../dialects/index.ts';
import type { FailureClass, GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { ContinuedOutput } from './continued-output.ts';
import { targetOf } from './preparation.ts';
import type { RelayRequest } from './request.ts';

/** What may befall a stream that has nothing to do with its content. */
const BREAKS: ReadonlySet<FailureClass> = new Set(['stream_broken', 'overloaded', 'rate_limited', 'silent']);

/** How one endpoint goes on with an answer. */
export interface Continuation {
  readonly chat: ChatRequest;
  /** It was given the beginning of the answer, rather than made to repeat it. */
  readonly prefilled: boolean;
  output(decoder: StreamDecoder): ContinuedOutput;
}

/**
 * How an answer that broke behind content that its client has is brought to its end (DESIGN 6): by an endpoint that goes on
 * with an assistant message, given what was said; by any other, if what it says begins with what was said.
 */
export class Recovery {
  /** What befell the first stream: what the client is told when nobody could go on. */
  readonly brokenBy: GatewayError;
  readonly #request: RelayRequest;
  readonly #transcript: Transcript;
  /** Endpoints that refused to go on with an assistant message. */
  readonly #refused = new Set<string>();
  #broken: PlannedAttempt | null;

  private constructor(request: RelayRequest, transcript: Transcript, broken: PlannedAttempt, brokenBy: GatewayError) {
    this.#request = request;
    this.#transcript = transcript;
    this.#broken = request.resume === 'always' ? broken : null;
    this.brokenBy = brokenBy;
  }

  /** Null where there is nothing to go on from, or the failure would befall another endpoint, too. */
  static of(
    request: RelayRequest,
    transcript: Transcript | null,
    broken: PlannedAttempt,
    error: GatewayError,
  ): Recovery | null {
    if (transcript === null || error.failure === undefined || !BREAKS.has(error.failure)) return null;
    return new Recovery(request, transcript, broken, error);
  }

  /** What was said can be said again. */
  get possible(): boolean {
    return this.#transcript.complete;
  }

  /** With `resume: always`, the endpoint that broke is asked once more when no other is left. */
  lastResort(): PlannedAttempt | null {
    const broken = this.#broken;
    this.#broken = null;
    return broken;
  }

  continuation(dialect: Dialect, planned: PlannedAttempt): Continuation {
    const { chat, resume } = this.#request;
    const freeReasoning = resume === 'always';
    const said = this.#prefix();
    const given = said.trimEnd();
    const prefilled =
      given !== '' &&
      !this.#refused.has(planned.endpoint.key) &&
      dialect.continuesAssistant?.(chat, targetOf(planned)) === true;
    const { mark = {}, echoed = false } = dialect.prefill ?? {};
    // White space at the end is refused by those who go on with a message, so it is kept back.
    const options = prefilled
      ? ({ mode: echoed ? 'echo' : 'continue', cutOff: said.slice(given.length), freeReasoning } as const)
      : ({ mode: 'repeat', cutOff: '', freeReasoning } as const);
    return {
      chat: prefilled ? withAssistantPrefix(chat, given, mark) : chat,
      prefilled,
      output: (decoder) => new ContinuedOutput(decoder, this.#transcript, options),
    };
  }

  /** The endpoint did not go on with an assistant message: it may still repeat the answer. True the first time. */
  refused(endpointKey: string): boolean {
    if (this.#refused.has(endpointKey)) return false;
    this.#refused.add(endpointKey);
    return true;
  }

  /** What can be given to a model to go on from: plain text of the only choice; '' where there was anything else. */
  #prefix(): string {
    const [told, another] = this.#transcript.choices.values();
    if (!told || another || told.reasoning !== '' || told.refusal !== '' || told.calls.size > 0) return '';
    return told.content;
  }
}
