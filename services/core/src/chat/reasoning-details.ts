/** What of a detail is text, and comes in pieces. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'summary', 'data']);

/**
 * Joins a piece of `reasoning_details` (WIRE 2.8) to the detail it belongs to, as a client joins a stream's deltas: pieces with the same
 * `index` and type are one detail, their texts are joined, other members are set. Changes `details`, and none of the pieces.
 */
export function joinReasoningDetail(
  details: Record<string, unknown>[],
  piece: Readonly<Record<string, unknown>>,
): void {
  const known = details.find((detail) => detail.type === piece.type && detail.index === piece.index);
  if (!known) {
    details.push({ ...piece });
    return;
  }
  for (const [key, value] of Object.entries(piece)) {
    const joins = TEXTS.has(key) && typeof known[key] === 'string' && typeof value === 'string';
    known[key] = joins ? `${String(known[key])}${value}` : value;
  }
}
