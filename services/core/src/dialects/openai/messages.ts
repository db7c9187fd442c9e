import type { ChatRequest } from '../../chat/index.ts';
import { arrayElements, type Edit, findMember, type Member, objectMembers, removeMembers } from '../../json/index.ts';
import type { HistoryRules } from './compatible/history.ts';

/** What answers of this gateway carry and clients send back in the history; OpenAI knows none of it. */
const ANSWER_FIELDS = ['provider_metadata', 'providerMetadata', 'reasoning', 'reasoning_details', 'images'];
/** Long histories repeat themselves: the warnings travel in every answer. */
const MOST_WARNINGS = 20;

/**
 * Edits inside `messages`, each as small as it can be: fields that OpenAI refuses are taken out, and files in the seed's
 * spelling (`data`, `media_type`) become OpenAI's `file_data`.
 */
export function messageEdits(request: ChatRequest, rules: HistoryRules, warnings: string[]): Edit[] {
  const edits: Edit[] = [];
  const touched = request.outline.messages.flatMap((message, i) =>
    needsEdit(message) || rules.touches(message) || hasForeignExtras(message, rules) ? [i] : [],
  );
  if (touched.length === 0) return edits;
  const messages = findMember(request.members, 'messages');
  if (!messages) return edits;
  const source = request.body.original();
  const spans = arrayElements(source, messages.valueStart);
  const found: string[] = [];
  for (const index of touched) {
    const span = spans[index];
    if (span) editMessage(source, span.start, index, rules, edits, found);
  }
  warnings.push(...found.slice(0, MOST_WARNINGS));
  if (found.length > MOST_WARNINGS) warnings.push(`messages: ${found.length - MOST_WARNINGS} more fields dropped`);
  return edits;
}

type Message = ChatRequest['outline']['messages'][number];

function needsEdit(message: Message): boolean {
  if ('cache_control' in message || ANSWER_FIELDS.some((field) => field in message)) return true;
  if (!Array.isArray(message.content)) return false;
  return message.content.some((part) => 'cache_control' in part || (part.type === 'file' && 'data' in part.file));
}

/** A conversation that began at Gemini goes on elsewhere. */
const hasForeignExtras = (message: Message, { preset }: HistoryRules): boolean =>
  !preset.extraContent &&
  message.role === 'assistant' &&
  (message.tool_calls ?? []).some((call) => 'extra_content' in call);

function editMessage(
  source: Buffer,
  open: number,
  index: number,
  rules: HistoryRules,
  edits: Edit[],
  warnings: string[],
): void {
  const path = `messages.${index}`;
  const members = objectMembers(source, open);
  const kept = new Set(ANSWER_FIELDS.filter((key) => rules.keeps(key)));
  if (rules.preset.cacheControl) kept.add('cache_control');
  rules.edit(source, members, edits, kept);
  const own = rules.preset.history === 'reasoning_content' ? ['reasoning_content'] : [];
  const dropped = new Set(['cache_control', ...own, ...ANSWER_FIELDS].filter((key) => !kept.has(key)));
  edits.push(...removeMembers(members, (member) => dropped.has(member.key)));
  // The same reasoning said twice, of which one goes on, is not lost.
  const isSaid = ['reasoning_content', 'reasoning', 'reasoning_details'].some((key) => kept.has(key));
  for (const { key } of members) {
    if (!dropped.has(key) || key.startsWith('provider') || (isSaid && key.startsWith('reasoning'))) continue;
    warnings.push(`${path}.${key}: not taken by this provider, dropped`);
  }
  if (!rules.preset.extraContent) editCalls(source, members, path, edits, warnings);
  const content = findMember(members, 'content');
  if (!content) return;
  arrayElements(source, content.valueStart).forEach((part, i) => {
    editPart(source, part.start, `${path}.content.${i}`, rules, edits, warnings);
  });
}

function editCalls(source: Buffer, members: readonly Member[], path: string, edits: Edit[], warnings: string[]): void {
  const calls = findMember(members, 'tool_calls');
  if (!calls) return;
  arrayElements(source, calls.valueStart).forEach((call, i) => {
    const extras = removeMembers(objectMembers(source, call.start), ({ key }) => key === 'extra_content');
    edits.push(...extras);
    if (extras.length > 0) warnings.push(`${path}.tool_calls.${i}.extra_content: not taken by this provider, dropped`);
  });
}

function editPart(
  source: Buffer,
  open: number,
  path: string,
  rules: HistoryRules,
  edits: Edit[],
  warnings: string[],
): void {
  const members = objectMembers(source, open);
  if (findMember(members, 'cache_control') && !rules.preset.cacheControl) {
    edits.push(...removeMembers(members, (member) => member.key === 'cache_control'));
    warnings.push(`${path}.cache_control: not taken by this provider, dropped`);
  }
  const file = findMember(members, 'file');
  if (file) editFile(source, file.valueStart, edits);
  const image = findMember(members, 'image_url');
  if (image) rules.editImage(source, image, edits);
}

/** Marks on tools, which OpenAI refuses. */
export function toolEdits(request: ChatRequest, rules: HistoryRules, warnings: string[]): Edit[] {
  const { outline, members, body } = request;
  if (rules.preset.cacheControl || !outline.tools?.some((tool) => 'cache_control' in tool)) return [];
  const source = body.original();
  const tools = findMember(members, 'tools');
  if (!tools) return [];
  return arrayElements(source, tools.valueStart).flatMap((tool, i) => {
    const edits = removeMembers(objectMembers(source, tool.start), ({ key }) => key === 'cache_control');
    if (edits.length > 0) warnings.push(`tools.${i}.cache_control: not taken by this provider, dropped`);
    return edits;
  });
}

function editFile(source: Buffer, open: number, edits: Edit[]): void {
  const members = objectMembers(source, open);
  const data = findMember(members, 'data');
  if (!data || findMember(members, 'file_data')) return;
  const mediaType = findMember(members, 'media_type');
  edits.push(...removeMembers(members, (member) => member.key === 'media_type'));
  const isUri = source.toString('latin1', data.valueStart + 1, data.valueStart + 6).toLowerCase() === 'data:';
  const type = mediaType
    ? String(JSON.parse(source.toString('utf8', mediaType.valueStart, mediaType.end)))
    : 'application/pdf';
  edits.push({ start: data.start, end: data.valueStart + 1, text: `"file_data":"${isUri ? '' : dataUriHead(type)}` });
  if (!findMember(members, 'filename')) {
    edits.push({ start: data.end, end: data.end, text: ',"filename":"document.pdf"' });
  }
}

/** Inside a JSON string, hence quoted without its quotes. */
const dataUriHead = (mediaType: string): string => `data:${JSON.stringify(mediaType).slice(1, -1)};base64,`;
