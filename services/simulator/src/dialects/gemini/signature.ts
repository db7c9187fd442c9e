import type { FunctionCall, Part } from '@google/genai';
import { calledText } from '../../speech/conversation.ts';
import { isSignatureOf, sign } from '../../speech/signature.ts';

/** What Google's documentation offers to those who have no signature. */
const dummies = new Set(['skip_thought_signature_validator', 'context_engineering_is_the_way_to_go']);

/** A signature of a function call holds for that call; any other for what was thought before a text. */
export function thoughtSignature(call?: FunctionCall): string {
  return call === undefined ? sign('thought', 'text') : sign('thought', calledText(call.name ?? '', call.args));
}

export function isIssued(part: Part): boolean {
  const { thoughtSignature: signature, functionCall } = part;
  if (signature === undefined || dummies.has(signature)) return true;
  const content = functionCall === undefined ? 'text' : calledText(functionCall.name ?? '', functionCall.args);
  return isSignatureOf(signature, 'thought', content);
}
