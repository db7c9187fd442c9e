import type { Part } from '@google/genai';
import type { AssistantTurn } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';

/** `format` of the reasoning details that come from here and may go back here (WIRE 2.8). */
export const REASONING_FORMAT = 'google-gemini-v1';

/** Stands for a signature that was lost, or never was (https://ai.google.dev/gemini-api/docs/thought-signatures). */
export const NO_SIGNATURE = 'skip_thought_signature_validator';

export interface ReturnedReasoning {
  /** Thoughts that were shown, as they came. */
  readonly thoughts: Part[];
  /** Signatures of text, in order. */
  readonly ofText: readonly string[];
  /** Signatures of tool calls, by call id. */
  readonly ofCalls: ReadonlyMap<string, string>;
}

/** An earlier answer's reasoning, to go back unchanged. What came from another provider's model is of no use to Gemini. */
export function returnedReasoning(turn: AssistantTurn, fields: Fields): ReturnedReasoning {
  const thoughts: Part[] = [];
  const ofText: string[] = [];
  const ofCalls = new Map<string, string>();
  const calls = new Set(turn.toolCalls.map(({ id }) => id));
  turn.reasoning.forEach((detail, i) => {
    const isOurs = detail.format === REASONING_FORMAT;
    if (isOurs && detail.type === 'reasoning.text' && (detail.text || detail.signature)) {
      const signed = detail.signature ? { thoughtSignature: detail.signature } : {};
      thoughts.push({ text: detail.text ?? '', thought: true, ...signed });
    } else if (isOurs && detail.type === 'reasoning.encrypted' && detail.data) {
      if (detail.id !== undefined && calls.has(detail.id)) ofCalls.set(detail.id, detail.data);
      else ofText.push(detail.data);
    } else fields.warn(`${turn.path}.reasoning_details.${i}`, 'not of this provider, dropped');
  });
  return { thoughts, ofText, ofCalls };
}
