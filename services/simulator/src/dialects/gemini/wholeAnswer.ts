import type { Part } from '@google/genai';
import type { Directives } from '../../faults/directives.ts';
import {
  blockedRatings,
  type GeneratedAnswer,
  type Identity,
  responseOf,
  type SpokenCandidate,
  usageOf,
  type WireResponse,
} from './answer.ts';

/** The answer in one piece: neighbouring texts joined. */
export function wholeResponse(identity: Identity, answer: GeneratedAnswer, directives: Directives): WireResponse {
  const said = answer.candidates.flatMap(({ parts }) => parts).reduce((sum, { tokens }) => sum + tokens, 0);
  return responseOf(identity, {
    candidates: answer.candidates.map((candidate, index) => wholeCandidate(candidate, index, directives)),
    ...(directives.nousage ? {} : { usageMetadata: usageOf(answer, said, identity.host) }),
  });
}

function wholeCandidate(candidate: SpokenCandidate, index: number, { nofinish }: Directives): object {
  const parts = joined(candidate);
  return {
    ...(candidate.blocked ? {} : { content: { ...(parts.length > 0 ? { parts } : {}), role: 'model' } }),
    ...(nofinish ? {} : { finishReason: candidate.finishReason }),
    index,
    ...(candidate.blocked ? blockedRatings : {}),
    ...(candidate.finishMessage === undefined ? {} : { finishMessage: candidate.finishMessage }),
  };
}

function joined({ parts, signature }: SpokenCandidate): Part[] {
  const whole: Part[] = [];
  for (const { part } of parts) {
    const last = whole.at(-1);
    const continues = last?.text !== undefined && part.text !== undefined && last.thought === part.thought;
    if (continues) whole.splice(-1, 1, { ...last, text: `${last.text}${part.text}` });
    else whole.push(part);
  }
  const at = whole.findLastIndex(({ text, thought }) => text !== undefined && thought !== true);
  const signed = whole[at];
  if (signature !== undefined && signed !== undefined) whole[at] = { ...signed, thoughtSignature: signature };
  return whole;
}
