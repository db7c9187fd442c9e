import type { Directives } from '../../faults/directives.ts';
import type { Frame } from '../../http/eventStream.ts';
import {
  blockedRatings,
  type GeneratedAnswer,
  type Identity,
  responseOf,
  type SpokenCandidate,
  usageOf,
  type WireResponse,
} from './answer.ts';

/** The events of a streamed answer: one token or call each, then the finish reason. There is no [DONE]. */
export function* generateFrames(identity: Identity, answer: GeneratedAnswer, directives: Directives): Generator<Frame> {
  let said = 0;
  const chunk = (candidate: object): string =>
    eventOf(
      responseOf(identity, {
        candidates: [candidate],
        ...(directives.nousage ? {} : { usageMetadata: usageOf(answer, said, identity.host) }),
      }),
      directives,
    );
  for (const [index, { parts }] of answer.candidates.entries()) {
    for (const { part, tokens } of parts) {
      said += tokens;
      yield { place: 'token', text: chunk({ content: { parts: [part], role: 'model' }, index }) };
    }
  }
  for (const [index, candidate] of answer.candidates.entries()) {
    yield { place: 'closing', text: directives.nofinish ? '' : chunk(finalCandidate(candidate, index)) };
  }
}

function finalCandidate(candidate: SpokenCandidate, index: number): object {
  const { signature, finishReason, blocked } = candidate;
  // That calls were made is said only in an answer that is not streamed.
  const finishMessage = finishReason === 'STOP' ? undefined : candidate.finishMessage;
  const last = { text: '', ...(signature === undefined ? {} : { thoughtSignature: signature }) };
  return {
    ...(blocked ? {} : { content: { parts: [last], role: 'model' } }),
    finishReason,
    index,
    ...(blocked ? blockedRatings : {}),
    ...(finishMessage === undefined ? {} : { finishMessage }),
  };
}

/** Google ends its lines with CRLF; where a directive does so anyway, once is enough. */
export function eventOf(value: WireResponse | object, { crlf }: Directives): string {
  const end = crlf ? '\n' : '\r\n';
  return `data: ${JSON.stringify(value)}${end}${end}`;
}
