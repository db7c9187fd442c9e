import type { ChatRequest } from '../../chat/index.ts';
import { arrayElements, type Edit, findMember, objectMembers, removeMembers } from '../../json/index.ts';

/** What answers of this gateway carry and clients send back in the history; OpenAI knows none of it. */
const ANSWER_FIELDS = ['provider_metadata', 'providerMetadata', 'reasoning', 'reasoning_details', 'images'];
/** Long histories repeat themselves: the warnings travel in every answer. */
const MOST_WARNINGS = 20;

/**
 * Edits inside `messages`, each as small as it can be: fields that OpenAI refuses are taken out, and files in the seed's
 * spelling (`data`, `media_type`) become OpenAI's `file_data`.
 */
export function messageEdits(request: ChatRequest, warnings: string[]): Edit[] {
  const edits: Edit[] = [];
  const touched = request.outline.messages.flatMap((message, i) => (needsEdit(message) ? [i] : []));
  if (touched.length === 0) return edits;
  const messages = findMember(request.members, 'messages');
  if (!messages) return edits;
  const source = request.body.original();
  const spans = arrayElements(source, messages.valueStart);
  const found: string[] = [];
  for (const index of touched) {
    const span = spans[index];
    if (span) editMessage(source, span.start, `messages.${index}`, edits, found);
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

function editMessage(source: Buffer, open: number, path: string, edits: Edit[], warnings: string[]): void {
  const members = objectMembers(source, open);
  const dropped = new Set(['cache_control', ...ANSWER_FIELDS]);
  edits.push(...removeMembers(members, (member) => dropped.has(member.key)));
  for (const { key } of members) {
    if (dropped.has(key) && !key.startsWith('provider'))
      warnings.push(`${path}.${key}: not taken by this provider, dropped`);
  }
  const content = findMember(members, 'content');
  if (!content) return;
  arrayElements(source, content.valueStart).forEach((part, i) => {
    editPart(source, part.start, `${path}.content.${i}`, edits, warnings);
  });
}

function editPart(source: Buffer, open: number, path: string, edits: Edit[], warnings: string[]): void {
  const members = objectMembers(source, open);
  if (findMember(members, 'cache_control')) {
    edits.push(...removeMembers(members, (member) => member.key === 'cache_control'));
    warnings.push(`${path}.cache_control: not taken by this provider, dropped`);
  }
  const file = findMember(members, 'file');
  if (file) editFile(source, file.valueStart, edits);
}

/** `{data: <base64 or data URI>, media_type, filename}` becomes `{file_data: <data URI>, filename}` (WIRE 2.2). */
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
