import { isSignatureOf } from '../../speech/signature.ts';
import { modelRefused, ServiceException, validation } from './errors.ts';
import { isObject } from './shape.ts';
import type { ConverseBody, WireBlock, WireMessage, WireToolResult, WireToolUse } from './wire.ts';

const maxImages = 20;
const maxDocuments = 5;
const maxCachePoints = 4;

/** What depends on several members at once; throws an exception for the first thing that is wrong. */
export function checkRules(body: ConverseBody, model: string): void {
  checkTurns(body.messages);
  body.messages.forEach(checkMessage);
  checkSystem(body);
  checkDocuments(body.messages);
  checkToolOrder(body.messages);
  checkToolConfig(body);
  checkCachePoints(body, model);
}

function checkTurns(messages: readonly WireMessage[]): void {
  if (messages[0]?.role !== 'user')
    throw validation(
      'A conversation must start with a user message. Try again with a conversation that starts with a user message.',
    );
  if (messages.some(({ role }, index) => role === messages[index - 1]?.role))
    throw validation(
      'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.',
    );
}

const userOnly = ['image', 'document', 'video', 'audio', 'toolResult', 'searchResult', 'guardContent'] as const;
const assistantOnly = ['toolUse', 'reasoningContent', 'citationsContent'] as const;

function checkMessage({ role, content }: WireMessage, index: number): void {
  if (content.length === 0)
    throw validation(
      `The content field in the Message object at messages.${index} is empty. Add a ContentBlock object to the content field and try again.`,
    );
  content.forEach((block, at) => {
    const path = `messages.${index}.content.${at}`;
    if (block.text?.trim() === '')
      throw validation(
        `The text field in the ContentBlock object at ${path} is blank. Add text to the text field, and try again.`,
      );
    const misplaced = (role === 'user' ? assistantOnly : userOnly).find((name) => block[name] !== undefined);
    if (misplaced !== undefined)
      throw validation(
        `The ${misplaced} block at ${path} can only be in a message with the ${role === 'user' ? 'assistant' : 'user'} role.`,
      );
    checkBlock(block, path);
  });
  if (content.some(({ document }) => document !== undefined) && !content.some(({ text }) => text !== undefined))
    throw validation(
      `The message at messages.${index} includes a document. Include a text block in the same message and try again.`,
    );
  if (content.filter(({ image }) => image !== undefined).length > maxImages)
    throw validation(`You can't include more than ${maxImages} images in a message.`);
}

function checkBlock({ toolUse, toolResult, reasoningContent }: WireBlock, path: string): void {
  if (toolUse !== undefined && !isObject(toolUse.input)) throw noObject(`${path}.toolUse.input`);
  if (toolResult !== undefined) checkResult(toolResult, path);
  const { reasoningText, redactedContent } = reasoningContent ?? {};
  if (reasoningText !== undefined) {
    if (reasoningText.signature === undefined) throw modelRefused(`${path}.thinking.signature: Field required`);
    if (!isSignatureOf(reasoningText.signature, 'thinking', reasoningText.text ?? ''))
      throw modelRefused(`${path}: Invalid \`signature\` in \`thinking\` block`);
  }
  if (redactedContent !== undefined && !isIssuedRedaction(redactedContent))
    throw modelRefused(`${path}: Invalid \`data\` in \`redacted_thinking\` block`);
}

/** Redacted thinking carries what it hides; see `redact`. */
function isIssuedRedaction(data: string): boolean {
  const [hidden = '', signature = ''] = Buffer.from(data, 'base64').toString().split('.');
  return isSignatureOf(signature, 'redacted_thinking', hidden);
}

function checkResult({ status, content = [] }: WireToolResult, path: string): void {
  if (status === 'error' && content.length === 0)
    throw validation(`The content field at ${path}.toolResult cannot be empty when status value is error.`);
  content.forEach((block, at) => {
    if (block.json !== undefined && !isObject(block.json)) throw noObject(`${path}.toolResult.content.${at}.json`);
    if (block.text?.trim() === '')
      throw modelRefused(
        `messages: text content blocks must ${block.text === '' ? 'be non-empty' : 'contain non-whitespace text'}`,
      );
  });
}

function noObject(path: string): ServiceException {
  return validation(
    `The format of the value at ${path} is invalid. Provide a json object for the field and try again.`,
  );
}

function checkSystem({ system = [] }: ConverseBody): void {
  const blank = system.findIndex(({ text }) => text?.trim() === '');
  if (blank >= 0)
    throw validation(
      `The text field in the SystemContentBlock object at system.${blank} is blank. Add text to the text field, and try again.`,
    );
}

function checkDocuments(messages: readonly WireMessage[]): void {
  const names = messages.flatMap(({ content }) =>
    content.flatMap(({ document, toolResult }) => [
      ...(document === undefined ? [] : [document.name]),
      ...(toolResult?.content ?? []).flatMap((block) => (block.document === undefined ? [] : [block.document.name])),
    ]),
  );
  if (names.length > maxDocuments)
    throw validation(`You can't include more than ${maxDocuments} documents in a request.`);
  if (new Set(names).size < names.length) throw validation("Messages can't contain duplicate document names.");
}

/** Each toolUse needs its toolResult in the very next message, and each toolResult its toolUse in the one before. */
function checkToolOrder(messages: readonly WireMessage[]): void {
  messages.forEach((message, index) => {
    const called = callsIn(messages[index - 1]).map(({ toolUseId }) => toolUseId);
    const answered = resultsIn(message).map(({ toolUseId }) => toolUseId);
    refuseDuplicates('toolUse', callsIn(message), index);
    refuseDuplicates('toolResult', resultsIn(message), index);
    if (answered.length > called.length)
      throw validation(
        `The number of toolResult blocks at messages.${index}.content exceeds the number of toolUse blocks of previous turn.`,
      );
    refuseUnanswered(called, answered, index);
  });
  refuseUnanswered(
    callsIn(messages.at(-1)).map(({ toolUseId }) => toolUseId),
    [],
    messages.length,
  );
}

function refuseUnanswered(called: readonly unknown[], answered: readonly unknown[], index: number): void {
  const open = called.filter((id) => !answered.includes(id));
  if (open.length > 0)
    throw validation(
      `Expected toolResult blocks at messages.${index}.content for the following Ids: ${open.join(', ')}`,
    );
}

function refuseDuplicates(
  kind: string,
  blocks: readonly { readonly toolUseId: string | undefined }[],
  index: number,
): void {
  const ids = blocks.map(({ toolUseId }) => toolUseId);
  const twice = ids.find((id, at) => ids.indexOf(id) < at);
  if (twice !== undefined)
    throw validation(`The ${kind} blocks at messages.${index}.content contain duplicate Ids: ${twice}`);
}

function callsIn(message: WireMessage | undefined): WireToolUse[] {
  return (message?.content ?? []).flatMap(({ toolUse }) => (toolUse === undefined ? [] : [toolUse]));
}

function resultsIn(message: WireMessage | undefined): WireToolResult[] {
  return (message?.content ?? []).flatMap(({ toolResult }) => (toolResult === undefined ? [] : [toolResult]));
}

function checkToolConfig({ toolConfig, messages }: ConverseBody): void {
  if (toolConfig === undefined) {
    if (messages.some((message) => callsIn(message).length + resultsIn(message).length > 0))
      throw validation('The toolConfig field must be defined when using toolUse and toolResult content blocks.');
    return;
  }
  const tools = toolConfig.tools ?? [];
  tools.forEach(({ toolSpec }, index) => {
    const schema = toolSpec?.inputSchema?.json;
    if (toolSpec !== undefined && !(isObject(schema) && schema.type === 'object'))
      throw validation(
        `The value at toolConfig.tools.${index}.toolSpec.inputSchema.json.type must be one of the following: object.`,
      );
  });
  const names = tools.flatMap(({ toolSpec, systemTool }) => toolSpec?.name ?? systemTool?.name ?? []);
  if (names.length === 0) throw validation('The toolConfig field must define at least one tool.');
  if (new Set(names).size < names.length) throw modelRefused('tools: Tool names must be unique.');
  const wanted = toolConfig.toolChoice?.tool?.name;
  if (wanted !== undefined && !names.includes(wanted))
    throw modelRefused(`Tool '${wanted}' not found in provided tools`);
}

/** Providers on Bedrock none of whose models cache prompts explicitly. */
const withoutCache = /(^|\.)(meta|mistral|cohere|ai21|deepseek|qwen|openai|stability|writer)\./;

function checkCachePoints({ messages, system = [], toolConfig }: ConverseBody, model: string): void {
  const blocks = [...(toolConfig?.tools ?? []), ...system, ...messages.flatMap(({ content }) => content)];
  const count = blocks.filter(({ cachePoint }) => cachePoint !== undefined).length;
  if (count > 0 && withoutCache.test(model))
    throw new ServiceException(
      403,
      'AccessDeniedException',
      'You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.',
    );
  if (count > maxCachePoints)
    throw modelRefused(`A maximum of ${maxCachePoints} blocks with cache_control may be provided. Found ${count}.`);
}
