import type { FunctionCallingConfig, FunctionCallingConfigMode, FunctionDeclaration } from '@google/genai';
import type { Controls, ToolDefinition } from '../../chat/index.ts';
import type { Fields } from '../translation/index.ts';
import { encodeParameters, type Parameters } from './schema.ts';

export interface GeminiTools {
  tools?: { functionDeclarations?: Declaration[]; [other: string]: unknown }[];
  toolConfig?: { functionCallingConfig?: CallingConfig; [other: string]: unknown };
}

type Declaration = Pick<FunctionDeclaration, 'name' | 'description'> & Parameters;

interface CallingConfig extends Omit<FunctionCallingConfig, 'mode'> {
  mode: `${FunctionCallingConfigMode}`;
}

/** `tools`, `tool_choice` and `parallel_tool_calls`. */
export function encodeTools(controls: Controls, fields: Fields): GeminiTools {
  const { toolChoice } = controls;
  fields.take('parallel_tool_calls');
  if (controls.parallelToolCalls === false)
    fields.warn('parallel_tool_calls', 'the provider may still call several tools at once');
  if (controls.tools.length === 0) {
    if (toolChoice !== null && toolChoice.type !== 'none' && toolChoice.type !== 'auto')
      fields.warn('tool_choice', 'there are no tools to choose from, dropped');
    return {};
  }
  // Not to be called, they would only stand in the way: up to Gemini 2.5 the API refuses them beside a response format.
  if (toolChoice?.type === 'none' && controls.responseFormat !== null) return {};
  const config = callingConfig(controls);
  // The API takes a list of allowed names only where it forces a call: else the others are not shown at all.
  const offered =
    toolChoice?.type === 'allowed' && toolChoice.mode === 'auto'
      ? controls.tools.filter(({ name }) => toolChoice.names.includes(name))
      : controls.tools;
  if (offered.length === 0) return {};
  const forced = config?.mode === 'ANY';
  return {
    tools: [{ functionDeclarations: offered.map((tool) => declaration(tool, forced, fields)) }],
    ...(config === null ? {} : { toolConfig: { functionCallingConfig: config } }),
  };
}

function declaration(tool: ToolDefinition, forced: boolean, fields: Fields): Declaration {
  const { path, name, description, parameters, strict, cache } = tool;
  if (cache) fields.warn(`${path}.cache_control`, 'the provider caches by itself, dropped');
  // Arguments are held to their schema only where a call is forced.
  if (strict === true && !forced) fields.warn(`${path}.function.strict`, 'not taken by the provider, dropped');
  const encoded = parameters === null ? null : encodeParameters(parameters, `${path}.function.parameters`);
  fields.warnings.push(...(encoded?.dropped ?? []));
  return { name, ...(description === null ? {} : { description }), ...encoded?.schema };
}

function callingConfig({ toolChoice }: Controls): CallingConfig | null {
  switch (toolChoice?.type) {
    case undefined:
      return null;
    case 'none':
      return { mode: 'NONE' };
    case 'auto':
      return { mode: 'AUTO' };
    case 'required':
      return { mode: 'ANY' };
    case 'function':
      return { mode: 'ANY', allowedFunctionNames: [toolChoice.name] };
    case 'allowed':
      return toolChoice.mode === 'required'
        ? { mode: 'ANY', allowedFunctionNames: [...toolChoice.names] }
        : { mode: 'AUTO' };
    default:
      return toolChoice satisfies never;
  }
}
