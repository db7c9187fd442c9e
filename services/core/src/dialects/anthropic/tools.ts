import type { MessageCreateParams, Tool, ToolChoice } from '@anthropic-ai/sdk/resources/messages';
import type { Controls, ToolDefinition } from '../../chat/index.ts';

/** `tools` and `tool_choice`; `answerTool` is the one that carries a structured answer, and is then forced. */
export function encodeTools(
  controls: Controls,
  answerTool: Tool | null,
): Pick<MessageCreateParams, 'tools' | 'tool_choice'> {
  const { toolChoice } = controls;
  const allowed =
    toolChoice?.type === 'allowed'
      ? controls.tools.filter(({ name }) => toolChoice.names.includes(name))
      : controls.tools;
  const tools = allowed.map(encodeTool);
  if (answerTool) tools.push(answerTool);
  if (tools.length === 0) return {};
  const choice = answerTool ? forceAnswer(controls, answerTool) : encodeChoice(controls);
  return { tools, ...(choice === null ? {} : { tool_choice: choice }) };
}

function encodeTool(tool: ToolDefinition): Tool {
  return {
    name: tool.name,
    ...(tool.description === null ? {} : { description: tool.description }),
    input_schema: { ...(tool.parameters ?? { properties: {} }), type: 'object' },
    ...(tool.strict === true ? { strict: true } : {}),
    ...(tool.cache ? { cache_control: { type: 'ephemeral' } } : {}),
  };
}

function encodeChoice({ toolChoice, parallelToolCalls }: Controls): ToolChoice | null {
  const single = parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  switch (toolChoice?.type) {
    case undefined:
      return parallelToolCalls === false ? { type: 'auto', ...single } : null;
    case 'none':
      return { type: 'none' };
    case 'auto':
      return { type: 'auto', ...single };
    case 'required':
      return { type: 'any', ...single };
    case 'function':
      return { type: 'tool', name: toolChoice.name, ...single };
    case 'allowed':
      return { type: toolChoice.mode === 'required' ? 'any' : 'auto', ...single };
    default:
      return toolChoice satisfies never;
  }
}

/** With other tools beside it the model may call one of those first; alone it must answer. */
function forceAnswer({ tools, toolChoice }: Controls, answerTool: Tool): ToolChoice {
  if (tools.length > 0 && toolChoice?.type !== 'none') return { type: 'any' };
  return { type: 'tool', name: answerTool.name, disable_parallel_tool_use: true };
}
