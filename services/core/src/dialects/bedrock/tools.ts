import type { Tool, ToolChoice, ToolConfiguration } from '@aws-sdk/client-bedrock-runtime';
import type { Controls, ToolDefinition } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';
import { cachePoint } from './cache.ts';
import type { BedrockMessage } from './messages.ts';
import { cachesTools, familyOf, forcingOf, takesStrictTools } from './models.ts';

type Document = Exclude<NonNullable<NonNullable<Tool['toolSpec']>['inputSchema']>['json'], undefined>;

export interface BedrockTools {
  readonly tools: Tool[];
  readonly toolChoice: ToolChoice | undefined;
  /** For `additionalModelRequestFields`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly forced: boolean;
}

/** What stands for the tools of a history that the request no longer offers. */
const NO_TOOL: Tool = {
  toolSpec: {
    name: 'headgate_no_tool',
    description: 'Not available. Never call this tool.',
    inputSchema: { json: { type: 'object', properties: {} } },
  },
};

interface Wishes {
  readonly model: string;
  readonly controls: Controls;
  /** Carries a structured answer, and is then forced. */
  readonly answerTool: Tool | null;
  readonly messages: readonly BedrockMessage[];
  readonly fields: Fields;
}

/** `tools` and `tool_choice`. The service demands tools whenever the history has tool calls, and knows no choice `none`. */
export function encodeTools(wishes: Wishes): BedrockTools {
  const { model, controls, answerTool, messages, fields } = wishes;
  const inHistory = messages.some(({ content }) => content.some((block) => block.toolUse || block.toolResult));
  const isNone = controls.toolChoice?.type === 'none';
  if (isNone && controls.tools.length > 0 && inHistory && !answerTool) {
    fields.warn('tool_choice', 'none is not known to the provider and the history needs the tools, dropped');
  }
  const offered = isNone && (!inHistory || answerTool) ? [] : offeredTools(wishes);
  const tools = offered.flatMap((tool) => encodeTool(tool, model, fields));
  if (answerTool) tools.push(answerTool);
  if (tools.length === 0 && inHistory) tools.push(NO_TOOL);
  if (tools.length === 0) return { tools, toolChoice: undefined, fields: {}, forced: false };
  const toolChoice = answerTool ? forceAnswer(wishes, offered.length) : encodeChoice(wishes);
  const forced = toolChoice?.any !== undefined || toolChoice?.tool !== undefined;
  return { tools, toolChoice, fields: oneAtATime(wishes), forced };
}

/** Absent without tools. */
export const toolConfig = ({ tools, toolChoice }: BedrockTools): { toolConfig?: ToolConfiguration } =>
  tools.length === 0 ? {} : { toolConfig: { tools, ...(toolChoice === undefined ? {} : { toolChoice }) } };

function offeredTools({ model, controls: { tools, toolChoice } }: Wishes): readonly ToolDefinition[] {
  if (toolChoice?.type === 'allowed') return tools.filter(({ name }) => toolChoice.names.includes(name));
  // Where one tool cannot be forced by name, it is the only one offered.
  if (toolChoice?.type === 'function' && forcingOf(model) === 'any') {
    return tools.filter(({ name }) => name === toolChoice.name);
  }
  return tools;
}

function encodeTool(tool: ToolDefinition, model: string, fields: Fields): Tool[] {
  const schema = { ...(tool.parameters ?? { properties: {} }), type: 'object' } as Document;
  const toolSpec = {
    name: tool.name,
    ...(tool.description ? { description: tool.description } : {}),
    inputSchema: { json: schema },
    ...(tool.strict === true ? strict(tool, model, fields) : {}),
  };
  if (!tool.cache) return [{ toolSpec }];
  if (!cachesTools(model)) {
    fields.warn(`${tool.path}.cache_control`, 'not taken by the model, dropped');
    return [{ toolSpec }];
  }
  const point = cachePoint({ ttl: null }, model, tool.path, fields);
  return point === null ? [{ toolSpec }] : [{ toolSpec }, point];
}

/** Models that take it want closed objects. */
function strict(tool: ToolDefinition, model: string, fields: Fields): { strict?: true } {
  if (takesStrictTools(model) && tool.parameters?.additionalProperties === false) return { strict: true };
  fields.warn(`${tool.path}.function.strict`, 'not taken by the model, or not with an open schema, dropped');
  return {};
}

function encodeChoice({ model, controls, fields }: Wishes): ToolChoice | undefined {
  const { toolChoice } = controls;
  switch (toolChoice?.type) {
    case undefined:
    case 'none':
      return undefined;
    case 'auto':
      return { auto: {} };
    case 'required':
      return force(model, null, fields);
    case 'function':
      return force(model, toolChoice.name, fields);
    case 'allowed':
      return toolChoice.mode === 'required' ? force(model, null, fields) : { auto: {} };
    default:
      return toolChoice satisfies never;
  }
}

function force(model: string, name: string | null, fields: Fields): ToolChoice | undefined {
  const forcing = forcingOf(model);
  if (forcing === 'none') {
    fields.warn('tool_choice', 'the model cannot be made to call a tool, dropped');
    return undefined;
  }
  return name === null || forcing === 'any' ? { any: {} } : { tool: { name } };
}

/** With other tools beside it the model may call one of those first; alone it must answer. */
function forceAnswer({ model, answerTool }: Wishes, others: number): ToolChoice {
  const name = answerTool?.toolSpec?.name;
  return others > 0 || name === undefined || forcingOf(model) === 'any' ? { any: {} } : { tool: { name } };
}

/** Converse has no member for it; Claude's own field joins what Converse makes of `toolChoice`. */
function oneAtATime({ model, controls, fields }: Wishes): Record<string, unknown> {
  if (controls.parallelToolCalls !== false) return {};
  if (familyOf(model) === 'claude') return { tool_choice: { disable_parallel_tool_use: true } };
  fields.warn('parallel_tool_calls', 'not taken by the model, dropped');
  return {};
}
