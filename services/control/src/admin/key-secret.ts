import { randomBytes } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Of the 256 values of a byte so many are taken, that each digit is equally likely. */
const TAKEN = 256 - (256 % DIGITS.length);
const PREFIX = 'hg_';
const LENGTH = 43;
const SHOWN = PREFIX.length + 4;

/** The text of a new API key: 43 random digits of base 62 are more than 256 bits. */
export function newKeyText(): string {
  let digits = '';
  while (digits.length < LENGTH) {
    for (const byte of randomBytes(LENGTH)) {
      if (byte < TAKEN && digits.length < LENGTH) digits += DIGITS.charAt(byte % DIGITS.length);
    }
  }
  return PREFIX + digits;
}

/** What may be shown of it, so that people can tell keys apart. */
export const hintOf = (keyText: string): string => keyText.slice(0, SHOWN);
