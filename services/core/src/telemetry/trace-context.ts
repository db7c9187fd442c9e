/** W3C Trace Context, level 1 and 2 (https://www.w3.org/TR/trace-context/): the `traceparent` header. */

export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;

/** Null for what the specification says to ignore: a wrong form, version ff, ids of zeros only. */
export function parseTraceparent(header: string): TraceParent | null {
  if (header.length < 55) return null;
  const parts = FORM.exec(header);
  if (parts === null) return null;
  const [, version, traceId = '', spanId = '', flags = '', rest] = parts;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
