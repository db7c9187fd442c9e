import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import type { Directives } from '../../faults/directives.ts';
import { composeAnswer as compose, type SpokenChoice } from '../../speech/answer.ts';
import { type Conversation, effortTokens, type Tool, type ToolChoice } from '../../speech/conversation.ts';
import type { PrefixCache } from '../../text/prefixCache.ts';
import type { ChatRequest } from './chatRequest.ts';

export { type SpokenCall, type SpokenChoice, visibleTokens } from '../../speech/answer.ts';

export interface ChatAnswer {
  readonly choices: readonly SpokenChoice[];
  readonly usage: CompletionUsage;
}

/** The same request always gets the same answer, whatever the model's name and its faults are. */
export function composeAnswer(request: ChatRequest, directives: Directives, cache: PrefixCache): ChatAnswer {
  const { choices, usage } = compose(conversationOf(request), directives, cache);
  const completion = usage.visible + usage.reasoning;
  return {
    choices: choices.map((choice) => ({
      ...choice,
      calls: choice.calls.map((call) => ({ ...call, id: `call_${call.id}` })),
    })),
    usage: {
      prompt_tokens: usage.prompt,
      completion_tokens: completion,
      total_tokens: usage.prompt + completion,
      prompt_tokens_details: { cached_tokens: usage.cached, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: usage.reasoning,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
  };
}

/** How a choice ends; `stop-reason` may be one that OpenAI does not have, for clients that must not take it for a stop. */
export function finishOf(choice: SpokenChoice, directives: Directives): SpokenChoice['finish'] {
  return (directives['stop-reason'] ?? choice.finish) as SpokenChoice['finish'];
}

function conversationOf({ params, turns, maxTokens, stop }: ChatRequest): Conversation {
  const format = params.response_format;
  return {
    turns,
    tools: toolsOf(params),
    toolChoice: toolChoiceOf(params.tool_choice),
    parallelCalls: params.parallel_tool_calls !== false,
    format:
      format?.type === 'json_schema'
        ? { schema: format.json_schema.schema }
        : format?.type === 'json_object'
          ? 'json'
          : 'prose',
    stop,
    maxTokens,
    choices: params.n ?? 1,
    seed: params.seed ?? undefined,
    hiddenTokens: effortTokens[params.reasoning_effort ?? 'none'],
    thinkingTokens: 0,
    prefill: 'ignore',
  };
}

function toolsOf({ tools = [] }: ChatCompletionCreateParams): Tool[] {
  return tools
    .filter((tool) => tool.type === 'function')
    .map(({ function: { name, description = '', parameters = {} } }) => ({ name, description, parameters }));
}

function toolChoiceOf(choice: ChatCompletionCreateParams['tool_choice']): ToolChoice {
  if (choice === undefined || typeof choice === 'string') return { mode: choice ?? 'auto' };
  if (choice.type === 'function') return { mode: 'required', only: [choice.function.name] };
  if (choice.type === 'custom') return { mode: 'none' };
  const { mode, tools } = choice.allowed_tools;
  return { mode, only: tools.map((tool) => nameOf(tool.function)) };
}

function nameOf(called: unknown): string {
  return typeof called === 'object' && called !== null && 'name' in called ? String(called.name) : '';
}
