import type {
  ContentBlockParam,
  MessageCreateParams,
  MessageParam,
  ToolUseBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import { isSignatureOf } from '../../speech/signature.ts';
import { badRequest, invalid } from './errors.ts';
import type { ModelTraits } from './models.ts';
import { checkOutputSchema } from './outputSchema.ts';

const thinkingGuide = 'https://docs.claude.com/en/docs/build-with-claude/extended-thinking';

/** What depends on several fields at once; throws an `ApiError` for the first thing that is wrong. */
export function checkRules(params: MessageCreateParams, traits: ModelTraits): void {
  checkThinking(params, traits);
  checkSampling(params, traits);
  checkTools(params);
  checkMessages(params, traits);
  checkToolOrder(params.messages);
  checkCacheControl(params);
  checkOutputConfig(params, traits);
  if (params.stop_sequences?.some((stop) => stop.trim() === ''))
    throw invalid('stop_sequences', 'each stop sequence must contain non-whitespace');
}

function checkThinking(
  { thinking, max_tokens: maxTokens, tool_choice: choice }: MessageCreateParams,
  traits: ModelTraits,
) {
  if (thinking === undefined || thinking.type === 'disabled') return;
  if (thinking.type === 'enabled' && !traits.budgetThinking)
    throw badRequest(
      traits.adaptiveThinking
        ? '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        : 'thinking is not supported on this model',
    );
  if (thinking.type === 'adaptive' && !traits.adaptiveThinking)
    throw badRequest('adaptive thinking is not supported on this model');
  // Undefined where tokens are only counted.
  if (thinking.type === 'enabled' && maxTokens !== undefined && thinking.budget_tokens >= maxTokens)
    throw badRequest(
      `\`max_tokens\` must be greater than \`thinking.budget_tokens\`. Please consult our documentation at ${thinkingGuide}#max-tokens-and-context-window-size`,
    );
  if (choice?.type === 'any' || choice?.type === 'tool')
    throw badRequest('Thinking may not be enabled when tool_choice forces tool use.');
}

function checkSampling(params: MessageCreateParams, traits: ModelTraits): void {
  const { temperature, top_p: topP, top_k: topK } = samplingOf(params);
  const thinks = params.thinking !== undefined && params.thinking.type !== 'disabled';
  if (traits.sampling === 'none') {
    if (temperature !== undefined && temperature !== 1) throw badRequest('`temperature` is deprecated for this model.');
    if (topP !== undefined && topP < 0.99) throw badRequest('`top_p` is deprecated for this model.');
    if (topK !== undefined) throw badRequest('`top_k` is deprecated for this model.');
  }
  if (traits.sampling === 'temperature or top_p' && temperature !== undefined && topP !== undefined)
    throw badRequest('`temperature` and `top_p` cannot both be specified for this model. Please use only one.');
  if (!thinks) return;
  if (temperature !== undefined && temperature !== 1)
    throw badRequest(
      `\`temperature\` may only be set to 1 when thinking is enabled or in adaptive mode. Please consult our documentation at ${thinkingGuide}#important-considerations-when-using-extended-thinking`,
    );
  if (topK !== undefined)
    throw badRequest(
      `\`top_k\` must be unset when thinking is enabled or in adaptive mode. Please consult our documentation at ${thinkingGuide}#important-considerations-when-using-extended-thinking`,
    );
  if (topP !== undefined && topP < 0.95)
    throw badRequest(
      `\`top_p\` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode. Please consult our documentation at ${thinkingGuide}#important-considerations-when-using-extended-thinking`,
    );
}

/** The SDK no longer types them, for newer models refuse them. */
function samplingOf(params: MessageCreateParams): { temperature?: number; top_p?: number; top_k?: number } {
  return params as { temperature?: number; top_p?: number; top_k?: number };
}

function checkTools({ tools = [], tool_choice: choice }: MessageCreateParams): void {
  const names = tools.map((tool) => ('name' in tool ? tool.name : tool.type));
  if (new Set(names).size < names.length) throw invalid('tools', 'Tool names must be unique.');
  if (choice !== undefined && tools.length === 0)
    throw badRequest('tool_choice may only be specified while providing tools.');
  if (choice?.type === 'tool' && !names.some((name) => name === choice.name))
    throw badRequest(`Tool '${choice.name}' not found in provided tools`);
  for (const [index, tool] of tools.entries())
    if ('input_schema' in tool && tool.strict === true)
      checkOutputSchema(tool.input_schema, `tools.${index}.custom.input_schema`);
}

function checkMessages({ messages, system, thinking }: MessageCreateParams, traits: ModelTraits): void {
  if (messages.length === 0) throw invalid('messages', 'at least one message is required');
  if (Array.isArray(system)) checkTexts(system, 'system');
  messages.forEach((message, index) => {
    checkRole(message, index, traits);
    const path = `messages.${index}`;
    if (typeof message.content === 'string' || message.content.length === 0) {
      const isLast = index === messages.length - 1 && message.role === 'assistant';
      if (message.content.length === 0 && !isLast)
        throw invalid(path, 'all messages must have non-empty content except for the optional final assistant message');
      return;
    }
    checkTexts(message.content, `${path}.content`);
    message.content.forEach((block, at) => {
      checkPlace(block, message.role, `${path}.content.${at}`);
    });
  });
  if (messages[0]?.role !== 'user') throw invalid('messages', 'first message must use the "user" role');
  checkPrefill(messages, traits);
  if (thinking?.type === 'enabled') checkThinkingFirst(messages);
}

function checkRole({ role }: MessageParam, index: number, traits: ModelTraits): void {
  if (role === 'user' || role === 'assistant') return;
  if (role !== 'system') throw invalid(`messages.${index}.role`, "Input should be 'user' or 'assistant'");
  if (!traits.systemTurns)
    throw invalid(
      'messages',
      'Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
    );
}

function checkTexts(content: readonly ContentBlockParam[], path: string): void {
  content.forEach((block, at) => {
    if (block.type !== 'text' || block.text.trim() !== '') return;
    if (block.cache_control) throw invalid(`${path}.${at}.text`, 'cache_control cannot be set for empty text blocks');
    throw invalid(
      path === 'system' ? 'system' : 'messages',
      `text content blocks must ${block.text === '' ? 'be non-empty' : 'contain non-whitespace text'}`,
    );
  });
}

const userOnly = new Set(['image', 'document', 'search_result', 'tool_result']);
const assistantOnly = new Set([
  'tool_use',
  'thinking',
  'redacted_thinking',
  'server_tool_use',
  'web_search_tool_result',
]);

function checkPlace(block: ContentBlockParam, role: string, path: string): void {
  const wrong =
    role === 'user' ? assistantOnly : role === 'assistant' ? userOnly : new Set([...userOnly, ...assistantOnly]);
  if (wrong.has(block.type))
    throw invalid(
      path,
      `\`${block.type}\` blocks can only be in \`${role === 'user' ? 'assistant' : 'user'}\` messages`,
    );
  if (block.type === 'thinking' && !isSignatureOf(block.signature, 'thinking', block.thinking))
    throw invalid(path, 'Invalid `signature` in `thinking` block');
  if (block.type === 'redacted_thinking' && !isIssuedRedaction(block.data))
    throw invalid(path, 'Invalid `data` in `redacted_thinking` block');
}

/** Redacted thinking carries what it hides; see `redact`. */
function isIssuedRedaction(data: string): boolean {
  const [hidden = '', signature = ''] = Buffer.from(data, 'base64').toString().split('.');
  return isSignatureOf(signature, 'redacted_thinking', hidden);
}

function checkPrefill(messages: readonly MessageParam[], traits: ModelTraits): void {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return;
  if (!traits.prefill)
    throw badRequest(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  const block = typeof last.content === 'string' ? undefined : last.content.at(-1);
  const text = typeof last.content === 'string' ? last.content : block?.type === 'text' ? block.text : '';
  if (text !== text.trimEnd()) throw invalid('messages', 'final assistant content cannot end with trailing whitespace');
  if (block?.type === 'thinking' || block?.type === 'redacted_thinking')
    throw invalid(`messages.${messages.length - 1}`, 'The final block in an assistant message cannot be `thinking`.');
}

/** In a tool loop, and in a prefill, the last assistant turn must begin with what it thought. */
function checkThinkingFirst(messages: readonly MessageParam[]): void {
  const index = messages.findLastIndex(({ role }) => role === 'assistant');
  const message = messages[index];
  if (message === undefined) return;
  const answered = messages[index + 1]?.content;
  const inLoop = Array.isArray(answered) && answered.some(({ type }) => type === 'tool_result');
  if (!inLoop && index < messages.length - 1) return;
  const first = typeof message.content === 'string' ? 'text' : message.content[0]?.type;
  if (first === undefined || first === 'thinking' || first === 'redacted_thinking') return;
  throw invalid(
    `messages.${index}.content.0.type`,
    `Expected \`thinking\` or \`redacted_thinking\`, but found \`${first}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks). We recommend you include thinking blocks from previous turns. To avoid this requirement, disable \`thinking\`. Please consult our documentation at ${thinkingGuide}`,
  );
}

/** Each tool_use needs its tool_result at the beginning of the very next message, and each tool_result its tool_use. */
function checkToolOrder(messages: readonly MessageParam[]): void {
  const used = new Set<string>();
  messages.forEach((message, index) => {
    const calls = callsIn(message);
    for (const { id } of calls) {
      if (used.has(id)) throw invalid('messages', '`tool_use` ids must be unique');
      used.add(id);
    }
    checkResults(message, index, new Set(callsIn(messages[index - 1]).map(({ id }) => id)));
    const next = messages[index + 1];
    if (calls.length === 0) return;
    const answered = leadingResults(next);
    const open = calls.filter(({ id }) => !answered.has(id)).map(({ id }) => id);
    if (open.length > 0)
      throw invalid(
        `messages.${index}`,
        `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
      );
  });
}

function checkResults(message: MessageParam, index: number, called: ReadonlySet<string>): void {
  if (typeof message.content === 'string') return;
  const seen = new Set<string>();
  message.content.forEach((block, at) => {
    if (block.type !== 'tool_result') return;
    if (!called.has(block.tool_use_id))
      throw invalid(
        `messages.${index}.content.${at}`,
        `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    if (seen.has(block.tool_use_id))
      throw invalid(
        `messages.${index}.content.${at}`,
        `each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${block.tool_use_id}`,
      );
    seen.add(block.tool_use_id);
  });
}

function callsIn(message: MessageParam | undefined): readonly ToolUseBlockParam[] {
  if (message === undefined || typeof message.content === 'string') return [];
  return message.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []));
}

function leadingResults(message: MessageParam | undefined): ReadonlySet<string> {
  const found = new Set<string>();
  if (message === undefined || typeof message.content === 'string') return found;
  for (const block of message.content) {
    if (block.type !== 'tool_result') break;
    found.add(block.tool_use_id);
  }
  return found;
}

const maxBreakpoints = 4;

function checkCacheControl(params: MessageCreateParams): void {
  const count = countBreakpoints([params.tools, params.system, params.messages]) + (params.cache_control ? 1 : 0);
  if (count > maxBreakpoints)
    throw badRequest(`A maximum of ${maxBreakpoints} blocks with cache_control may be provided. Found ${count}.`);
}

/** A tool's schema and input may hold anything, so that they are not searched. */
function countBreakpoints(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countBreakpoints(item), 0);
  if (typeof value !== 'object' || value === null) return 0;
  const own = 'cache_control' in value && value.cache_control ? 1 : 0;
  return own + ('content' in value ? countBreakpoints(value.content) : 0);
}

function checkOutputConfig({ output_config: config, messages }: MessageCreateParams, traits: ModelTraits): void {
  if (config?.effort && !traits.effort) throw badRequest('This model does not support the effort parameter.');
  if (!config?.format) return;
  checkOutputSchema(config.format.schema, 'output_config.format.schema');
  const cites = messages.some(
    ({ content }) =>
      typeof content !== 'string' && content.some((block) => block.type === 'document' && block.citations?.enabled),
  );
  if (cites) throw badRequest('Citations cannot be enabled when using output_config.format.');
}
