import type {
  ContentBlockParam,
  MessageCreateParams,
  MessageParam,
  ToolResultBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import { splitText } from '../../faults/directives.ts';
import {
  type Conversation,
  calledText,
  effortTokens,
  type Medium,
  type Tool,
  type ToolChoice,
  type Turn,
} from '../../speech/conversation.ts';
import { requestFields } from './fields.ts';
import { readDocument, readImage } from './media.ts';
import { traitsOf } from './models.ts';
import { checkRules } from './rules.ts';
import { shape } from './shape.ts';

export interface MessagesRequest {
  readonly params: MessageCreateParams;
  readonly conversation: Conversation;
}

/** Thinking tokens when only a budget says how many there may be. */
const usualThinking = effortTokens.medium;

/** Validates as Anthropic does; throws an `ApiError` for the first thing that is wrong. */
export function readMessagesRequest(
  body: unknown,
  kind: keyof typeof requestFields,
  model: string,
  lenient: boolean,
): MessagesRequest {
  shape(requestFields[kind], lenient)(body, '');
  const params = asParams(body);
  checkRules(params, traitsOf(lenient ? '' : model));
  return { params, conversation: conversationOf(params) };
}

/** The checks have proved the shape that the SDK's type describes. */
function asParams(body: unknown): MessageCreateParams {
  return body as MessageCreateParams;
}

function conversationOf(params: MessageCreateParams): Conversation {
  const choice = params.tool_choice;
  const format = params.output_config?.format;
  return {
    turns: [...systemTurns(params.system), ...params.messages.flatMap(readTurns)],
    tools: toolsOf(params),
    toolChoice: toolChoiceOf(choice),
    parallelCalls: !(choice !== undefined && choice.type !== 'none' && choice.disable_parallel_tool_use === true),
    format: format ? { schema: format.schema } : 'prose',
    stop: params.stop_sequences ?? [],
    maxTokens: params.max_tokens,
    choices: 1,
    seed: undefined,
    hiddenTokens: 0,
    thinkingTokens: thinkingTokens(params),
    prefill: 'continue',
  };
}

function thinkingTokens({ thinking, output_config: config }: MessageCreateParams): number {
  switch (thinking?.type) {
    case 'enabled':
      return Math.min(thinking.budget_tokens, usualThinking);
    case 'adaptive':
      return effortTokens[config?.effort ?? 'high'];
    default:
      return 0;
  }
}

function systemTurns(system: MessageCreateParams['system']): Turn[] {
  if (system === undefined) return [];
  const text = typeof system === 'string' ? system : system.map((block) => block.text).join('\n');
  return [{ role: 'system', text: splitText(text).rest, media: [] }];
}

/** Tool results are turns of their own, as they are messages of their own elsewhere. */
function readTurns({ role, content }: MessageParam, index: number): Turn[] {
  if (typeof content === 'string') return [{ role, text: splitText(content).rest, media: [] }];
  const path = (at: number) => `messages.${index}.content.${at}`;
  const results = content.flatMap((block, at) => (block.type === 'tool_result' ? [resultTurn(block, path(at))] : []));
  const rest = content.filter(({ type }) => type !== 'tool_result');
  if (rest.length === 0) return results;
  const texts: string[] = [];
  const media: Medium[] = [];
  content.forEach((block, at) => {
    if (block.type === 'tool_result') return;
    readBlock(block, path(at), texts, media);
  });
  return [...results, { role, text: splitText(texts.join('\n')).rest, media }];
}

function resultTurn({ content = '' }: ToolResultBlockParam, path: string): Turn {
  const texts: string[] = [];
  const media: Medium[] = [];
  if (typeof content === 'string') texts.push(content);
  else
    content.forEach((block, at) => {
      if (block.type === 'tool_reference' || block.type === 'browser_state') return;
      readBlock(block, `${path}.tool_result.content.${at}`, texts, media);
    });
  return { role: 'tool', text: splitText(texts.join('\n')).rest, media };
}

function readBlock(block: ContentBlockParam, path: string, texts: string[], media: Medium[]): void {
  switch (block.type) {
    case 'text':
      texts.push(block.text);
      break;
    case 'image':
      media.push(readImage(block, path));
      break;
    case 'document':
      media.push(readDocument(block, path));
      break;
    case 'search_result':
      texts.push(...block.content.map(({ text }) => text));
      break;
    case 'tool_use':
      texts.push(calledText(block.name, block.input));
      break;
    default:
      break;
  }
}

function toolsOf({ tools = [] }: MessageCreateParams): Tool[] {
  return tools.flatMap((tool) =>
    'input_schema' in tool
      ? [{ name: tool.name, description: tool.description ?? '', parameters: { ...tool.input_schema } }]
      : [],
  );
}

function toolChoiceOf(choice: MessageCreateParams['tool_choice']): ToolChoice {
  switch (choice?.type) {
    case 'any':
      return { mode: 'required' };
    case 'tool':
      return { mode: 'required', only: [choice.name] };
    case 'none':
      return { mode: 'none' };
    default:
      return { mode: 'auto' };
  }
}
