import type { ChatCompletion, ChatCompletionMessage } from 'openai/resources/chat/completions';
import type { Directives } from '../../faults/directives.ts';
import { type ChatAnswer, finishOf, type SpokenChoice } from './chatAnswer.ts';
import type { ChatRequest } from './chatRequest.ts';
import { logprobOf } from './logprobs.ts';

/** What all chunks of a stream, and the JSON answer, have in common. */
export interface ChatIdentity {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export const systemFingerprint = 'fp_simulator';

/** Fields that other providers of this dialect add to a message for their thinking. */
export type ThinkingFields = { reasoning_content?: string; reasoning?: string };

export function chatCompletion(
  identity: ChatIdentity,
  request: ChatRequest,
  answer: ChatAnswer,
  directives: Directives,
): ChatCompletion {
  return {
    id: identity.id,
    object: 'chat.completion',
    created: identity.created,
    model: identity.model,
    choices: answer.choices.map((choice, index) => toChoice(choice, index, request, directives)),
    ...(directives.nousage ? {} : { usage: answer.usage }),
    service_tier: 'default',
    system_fingerprint: systemFingerprint,
  };
}

function toChoice(
  choice: SpokenChoice,
  index: number,
  { params }: ChatRequest,
  directives: Directives,
): ChatCompletion.Choice {
  const rate = (tokens: readonly string[]) =>
    tokens.map((token, position) => logprobOf(token, position, params.top_logprobs ?? 0));
  const message: ChatCompletionMessage & ThinkingFields = {
    role: 'assistant',
    content: contentOf(choice, directives),
    refusal: choice.refusal?.join('') ?? null,
    annotations: [],
    ...(choice.calls.length > 0
      ? {
          tool_calls: choice.calls.map(({ id, name, arguments: json }) => ({
            id,
            type: 'function' as const,
            function: { name, arguments: json.join('') },
          })),
        }
      : {}),
    ...thinkingFields(choice.thinking.join(''), directives),
  };
  return {
    index,
    message,
    logprobs:
      params.logprobs === true
        ? { content: rate(choice.text), refusal: choice.refusal === undefined ? null : rate(choice.refusal) }
        : null,
    finish_reason: finishOf(choice, directives),
  };
}

function contentOf(choice: SpokenChoice, directives: Directives): string | null {
  const tagged = directives['think-as'] === 'tag' && choice.thinking.length > 0;
  const thinking = tagged ? `<think>${choice.thinking.join('')}</think>` : '';
  if (thinking === '' && (choice.calls.length > 0 || choice.refusal !== undefined)) return null;
  return thinking + choice.text.join('');
}

/** The field for a piece of thinking in the spelling that the directives ask for; none when it goes into the text. */
export function thinkingFields(text: string, directives: Directives): ThinkingFields {
  if (text === '') return {};
  switch (directives['think-as'] ?? 'reasoning_content') {
    case 'reasoning_content':
      return { reasoning_content: text };
    case 'reasoning':
      return { reasoning: text };
    default:
      return {};
  }
}
