import { splitText } from '../../faults/directives.ts';
import { type Conversation, calledText, effortTokens, type Medium, type Turn } from '../../speech/conversation.ts';
import { traitsOf } from '../anthropic/models.ts';
import { checkClaude, effortOf, isClaude, thinkingOf } from './claude.ts';
import { modelRefused, validation } from './errors.ts';
import { converseMembers, converseStreamMembers } from './fields.ts';
import { readDocument, readImage, readSound, readVideo } from './media.ts';
import { checkRules } from './rules.ts';
import { isObject, structure } from './shape.ts';
import type { ConverseBody, WireBlock, WireMessage, WireToolResult } from './wire.ts';

export interface ConverseCall {
  readonly body: ConverseBody;
  readonly conversation: Conversation;
}

/** Validates as Bedrock does; throws a `ServiceException` for the first thing that is wrong. */
export function readConverse(json: unknown, stream: boolean, model: string, lenient: boolean): ConverseCall {
  const members = stream ? converseStreamMembers : converseMembers;
  structure(members, lenient)(json, '');
  const body = asBody(withoutNulls(json));
  checkRules(body, lenient ? '' : model);
  if (isClaude(model)) {
    const traits = traitsOf(lenient ? '' : model);
    checkClaude(body, traits);
    checkPrefill(body.messages, traits.prefill);
  }
  return { body, conversation: conversationOf(body) };
}

/** The checks have proved the shape that the SDK's types describe. */
function asBody(json: unknown): ConverseBody {
  return json as ConverseBody;
}

/** Smithy takes null for absent, but in documents, where it is a value. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const present = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(present.map(([name, item]) => [name, documents.has(name) ? item : withoutNulls(item)]));
}

const documents = new Set(['json', 'input', 'additionalModelRequestFields']);

function checkPrefill(messages: readonly WireMessage[], allowed: boolean): void {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return;
  if (!allowed)
    throw modelRefused(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  const text = last.content.at(-1)?.text ?? '';
  if (text !== text.trimEnd())
    throw modelRefused('messages: final assistant content cannot end with trailing whitespace');
}

function conversationOf(body: ConverseBody): Conversation {
  const { system = [], messages, inferenceConfig, additionalModelRequestFields: fields } = body;
  const format = body.outputConfig?.textFormat?.structure?.jsonSchema?.schema;
  const ownChoice = isObject(fields?.tool_choice) ? fields.tool_choice : {};
  return {
    turns: [...systemTurns(system), ...messages.flatMap(readTurns)],
    tools: (body.toolConfig?.tools ?? []).flatMap(({ toolSpec }) =>
      toolSpec === undefined
        ? []
        : [
            {
              name: toolSpec.name ?? '',
              description: toolSpec.description ?? '',
              parameters: isObject(toolSpec.inputSchema?.json) ? toolSpec.inputSchema.json : {},
            },
          ],
    ),
    toolChoice: toolChoiceOf(body.toolConfig?.toolChoice),
    parallelCalls: ownChoice.disable_parallel_tool_use !== true,
    format: format === undefined ? 'prose' : { schema: parseSchema(format) },
    stop: inferenceConfig?.stopSequences ?? [],
    maxTokens: inferenceConfig?.maxTokens,
    choices: 1,
    seed: undefined,
    hiddenTokens: 0,
    thinkingTokens: thinkingTokens(body),
    prefill: 'continue',
  };
}

/** Claude thinks when it is told to; other models when they are told how hard. */
function thinkingTokens(body: ConverseBody): number {
  const thinking = thinkingOf(body);
  if (thinking !== undefined) return thinking.tokens;
  const { reasoning_effort: effort, reasoningConfig: nova } = body.additionalModelRequestFields ?? {};
  return effort === undefined && nova === undefined ? 0 : effortTokens[effortOf(body) ?? 'none'];
}

function parseSchema(text: string): unknown {
  try {
    const schema: unknown = JSON.parse(text);
    if (isObject(schema)) return schema;
  } catch {}
  throw validation('The value at outputConfig.textFormat.structure.jsonSchema.schema is not a valid JSON schema.');
}

function toolChoiceOf(choice: NonNullable<ConverseBody['toolConfig']>['toolChoice']): Conversation['toolChoice'] {
  if (choice?.any !== undefined) return { mode: 'required' };
  if (choice?.tool !== undefined) return { mode: 'required', only: [choice.tool.name ?? ''] };
  return { mode: 'auto' };
}

function systemTurns(system: NonNullable<ConverseBody['system']>): Turn[] {
  const texts = system.flatMap(({ text, guardContent }) => text ?? guardContent?.text?.text ?? []);
  return texts.length === 0 ? [] : [{ role: 'system', text: splitText(texts.join('\n')).rest, media: [] }];
}

/** Tool results are turns of their own, as they are messages of their own elsewhere. */
function readTurns({ role, content }: WireMessage, index: number): Turn[] {
  const turns: Turn[] = [];
  const texts: string[] = [];
  const media: Medium[] = [];
  content.forEach((block, at) => {
    const path = `messages.${index}.content.${at}`;
    if (block.toolResult !== undefined) turns.push(resultTurn(block.toolResult, path));
    else readBlock(block, path, texts, media);
  });
  if (turns.length > 0 && texts.length === 0 && media.length === 0) return turns;
  return [...turns, { role, text: splitText(texts.join('\n')).rest, media }];
}

function resultTurn({ content = [] }: WireToolResult, path: string): Turn {
  const texts: string[] = [];
  const media: Medium[] = [];
  content.forEach((block, at) => {
    const inner = `${path}.toolResult.content.${at}`;
    if (block.text !== undefined) texts.push(block.text);
    else if (block.json !== undefined) texts.push(JSON.stringify(block.json));
    else if (block.image !== undefined) media.push(readImage(block.image, inner));
    else if (block.document !== undefined) media.push(readDocument(block.document, inner));
    else if (block.video !== undefined) media.push(readVideo(block.video));
    else if (block.searchResult !== undefined)
      texts.push(...(block.searchResult.content ?? []).map(({ text }) => text ?? ''));
  });
  return { role: 'tool', text: splitText(texts.join('\n')).rest, media };
}

function readBlock(block: WireBlock, path: string, texts: string[], media: Medium[]): void {
  if (block.text !== undefined) texts.push(block.text);
  else if (block.image !== undefined) media.push(readImage(block.image, path));
  else if (block.document !== undefined) media.push(readDocument(block.document, path));
  else if (block.video !== undefined) media.push(readVideo(block.video));
  else if (block.audio !== undefined) media.push(readSound(block.audio));
  else if (block.toolUse !== undefined) texts.push(calledText(block.toolUse.name ?? '', block.toolUse.input));
  else if (block.guardContent?.text !== undefined) texts.push(block.guardContent.text.text ?? '');
  else if (block.citationsContent !== undefined)
    texts.push((block.citationsContent.content ?? []).map(({ text }) => text ?? '').join(''));
  else if (block.searchResult !== undefined)
    texts.push(...(block.searchResult.content ?? []).map(({ text }) => text ?? ''));
}
