import { GatewayError } from '@headgate/core/errors';
import { type FilePurpose, LONGEST_EXPIRY_S, SHORTEST_EXPIRY_S, UPLOAD_PURPOSES } from '@headgate/core/files';

/** What stands beside the file in an upload, as far as it has come in. */
export interface UploadFields {
  readonly purpose: FilePurpose | null;
  readonly expiresAfterS: number | null;
}

const ANCHOR = 'expires_after[anchor]';
const SECONDS = 'expires_after[seconds]';

/** Reads `purpose` and `expires_after` (WIRE 2.14); throws a GatewayError that names the field at fault. */
export function readUploadFields(fields: ReadonlyMap<string, string>): UploadFields {
  const purpose = fields.get('purpose');
  const known = UPLOAD_PURPOSES.find((name) => name === purpose);
  if (purpose !== undefined && known === undefined) {
    throw invalid('purpose', `found '${purpose.slice(0, 100)}', expected one of ${UPLOAD_PURPOSES.join(', ')}`);
  }
  return { purpose: known ?? null, expiresAfterS: readExpiry(fields) };
}

function readExpiry(fields: ReadonlyMap<string, string>): number | null {
  if (fields.has('expires_after')) throw invalid('expires_after', `expected ${ANCHOR} and ${SECONDS}`);
  const anchor = fields.get(ANCHOR);
  const seconds = fields.get(SECONDS);
  if (anchor !== undefined && anchor !== 'created_at') throw invalid(ANCHOR, 'expected created_at');
  if (seconds === undefined) return null;
  const value = /^\d{1,10}$/.test(seconds) ? Number(seconds) : Number.NaN;
  if (!(value >= SHORTEST_EXPIRY_S && value <= LONGEST_EXPIRY_S)) {
    throw invalid(SECONDS, `expected a whole number from ${SHORTEST_EXPIRY_S} to ${LONGEST_EXPIRY_S}`);
  }
  return value;
}

export function invalid(param: string, why: string): GatewayError {
  return new GatewayError('invalid_request_error', `Invalid value for '${param}': ${why}.`, {
    param,
    code: 'invalid_value',
  });
}

export function missing(param: string): GatewayError {
  return new GatewayError('invalid_request_error', `Missing required parameter: '${param}'.`, {
    param,
    code: 'missing_parameter',
  });
}
